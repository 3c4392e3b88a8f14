//! The log's rows.

use cleave_store::sql::{in_list, query};
use cleave_store::{Journal, Tx};
use cleave_vocabulary::{SagaId, Timestamp};
use sea_orm::{DbErr, QueryResult, Value};

use super::row::count;
use crate::LogEntry;
use crate::course::Line;

/// A line of the log, with the saga and the step it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) saga: SagaId,
    pub(crate) step: usize,
    pub(crate) line: LogEntry,
}

/// Writes lines behind each other.
pub(crate) async fn append(
    tx: &Tx,
    saga: SagaId,
    at: Timestamp,
    lines: &[Line],
) -> Result<(), DbErr> {
    let mut values: Vec<Value> = Vec::with_capacity(lines.len() * LOG.width());
    for line in lines {
        values.extend([
            saga.uuid().into(),
            at.as_micros().into(),
            line.phase.into(),
            i64::try_from(line.step).unwrap_or(i64::MAX).into(),
            line.name.into(),
            line.outcome.into(),
            i64::from(line.attempt).into(),
            line.detail.as_ref().map(ToString::to_string).into(),
        ]);
    }
    LOG.append(tx, values).await.map(drop)
}

static LOG: Journal = Journal::new(
    "saga_log",
    &[
        "saga_id", "at", "phase", "step", "name", "outcome", "attempt", "detail",
    ],
);

fn read(from: &QueryResult) -> Result<Entry, DbErr> {
    let detail: Option<String> = from.try_get("", "detail")?;
    Ok(Entry {
        saga: SagaId::from_uuid(from.try_get("", "saga_id")?),
        step: usize::try_from(from.try_get::<i64>("", "step")?).unwrap_or(usize::MAX),
        line: LogEntry {
            seq: from.try_get("", "seq")?,
            at: Timestamp::from_micros(from.try_get("", "at")?),
            phase: from.try_get("", "phase")?,
            name: from.try_get("", "name")?,
            outcome: from.try_get("", "outcome")?,
            attempt: count(from, "attempt")?,
            detail: detail.and_then(|text| serde_json::from_str(&text).ok()),
        },
    })
}

/// The lines of these sagas, in order.
pub(crate) async fn entries(tx: &Tx, sagas: &[SagaId]) -> Result<Vec<Entry>, DbErr> {
    entries_behind(tx, sagas, 0).await
}

/// The lines of the sagas about `subject` behind `after`, in order. The sagas are
/// looked for first: of a join Postgres can believe that it is best answered by reading
/// the whole log in its order.
pub(crate) async fn entries_about(tx: &Tx, subject: &str, after: i64) -> Result<Vec<Entry>, DbErr> {
    let found = query(
        tx,
        "SELECT id FROM saga WHERE subject = $1",
        [subject.into()],
    )
    .await?;
    let sagas: Result<Vec<_>, _> = found.iter().map(|row| row.try_get("", "id")).collect();
    let sagas: Vec<_> = sagas?.into_iter().map(SagaId::from_uuid).collect();
    entries_behind(tx, &sagas, after).await
}

async fn entries_behind(tx: &Tx, sagas: &[SagaId], after: i64) -> Result<Vec<Entry>, DbErr> {
    const BEHIND: &str = "SELECT seq, saga_id, at, phase, step, name, outcome, attempt, detail \
         FROM saga_log WHERE seq > $1 AND saga_id IN ";
    if sagas.is_empty() {
        return Ok(Vec::new());
    }
    let sql = in_list(BEHIND, 2, sagas.len()) + " ORDER BY seq";
    let ids = sagas.iter().map(|id| id.uuid().into());
    let found = query(tx, sql, std::iter::once(after.into()).chain(ids)).await?;
    found.iter().map(read).collect()
}
