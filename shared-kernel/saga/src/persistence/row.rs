//! A saga's row.

use std::time::Duration;

use cleave_store::Tx;
use cleave_store::sql::{query, query_one};
use cleave_vocabulary::{CallContext, SagaId, Timestamp};
use sea_orm::{DbErr, QueryResult, Value};
use uuid::Uuid;

use crate::position::{Phase, Position, State};
use crate::{SagaFilter, SagaStatus};

/// A saga as the database keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: SagaId,
    pub(crate) kind: String,
    pub(crate) version: u32,
    pub(crate) subject: String,
    pub(crate) at: Position,
    pub(crate) error: Option<String>,
    pub(crate) cancel_reason: Option<String>,
    pub(crate) data: String,
    pub(crate) call: CallContext,
    pub(crate) owner: Option<Uuid>,
    pub(crate) fence: i64,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// What a row is read from.
pub(crate) const COLUMNS: &str = "id, kind, version, subject, status, phase, step, state, attempt, \
    tries, asked, error, cancel_reason, data, correlation, trace, owner, fence, due_at, created_at, \
    updated_at";

impl Row {
    pub(crate) fn read(from: &QueryResult) -> Result<Self, DbErr> {
        let correlation: String = from.try_get("", "correlation")?;
        let trace: Option<String> = from.try_get("", "trace")?;
        let mut call = CallContext::of(correlation.parse().map_err(|e| broken("correlation", e))?);
        call.trace = trace
            .map(|trace| trace.parse())
            .transpose()
            .map_err(|e| broken("trace", e))?;
        Ok(Self {
            id: SagaId::from_uuid(from.try_get("", "id")?),
            kind: from.try_get("", "kind")?,
            version: count(from, "version")?,
            subject: from.try_get("", "subject")?,
            at: position(from)?,
            error: from.try_get("", "error")?,
            cancel_reason: from.try_get("", "cancel_reason")?,
            data: from.try_get("", "data")?,
            call,
            owner: from.try_get("", "owner")?,
            fence: from.try_get("", "fence")?,
            due_at: moment(from, "due_at")?,
            created_at: moment(from, "created_at")?.unwrap_or(Timestamp::EPOCH),
            updated_at: moment(from, "updated_at")?.unwrap_or(Timestamp::EPOCH),
        })
    }
}

fn position(from: &QueryResult) -> Result<Position, DbErr> {
    let status: String = from.try_get("", "status")?;
    let phase: String = from.try_get("", "phase")?;
    let state: String = from.try_get("", "state")?;
    Ok(Position {
        status: SagaStatus::parse(&status).ok_or_else(|| broken("status", &status))?,
        phase: Phase::parse(&phase).ok_or_else(|| broken("phase", &phase))?,
        state: State::parse(&state).ok_or_else(|| broken("state", &state))?,
        step: usize::try_from(from.try_get::<i64>("", "step")?).map_err(|e| broken("step", e))?,
        attempt: count(from, "attempt")?,
        tries: count(from, "tries")?,
        asked: count(from, "asked")?,
    })
}

fn broken(column: &str, why: impl std::fmt::Display) -> DbErr {
    DbErr::Type(format!("saga.{column}: {why}"))
}

pub(super) fn count(from: &QueryResult, column: &str) -> Result<u32, DbErr> {
    u32::try_from(from.try_get::<i64>("", column)?).map_err(|e| broken(column, e))
}

fn moment(from: &QueryResult, column: &str) -> Result<Option<Timestamp>, DbErr> {
    let micros: Option<i64> = from.try_get("", column)?;
    Ok(micros.map(Timestamp::from_micros))
}

/// The saga of this id.
pub(crate) async fn by_id(tx: &Tx, id: SagaId) -> Result<Option<Row>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM saga WHERE id = $1");
    let found = query_one(tx, sql, [id.uuid().into()]).await?;
    found.as_ref().map(Row::read).transpose()
}

/// The status of the newest saga about `subject`.
pub(crate) async fn status_of(tx: &Tx, subject: &str) -> Result<Option<SagaStatus>, DbErr> {
    let sql = "SELECT status FROM saga WHERE subject = $1 ORDER BY id DESC LIMIT 1";
    let found = query_one(tx, sql, [subject.into()]).await?;
    let Some(row) = found else { return Ok(None) };
    let status: String = row.try_get("", "status")?;
    SagaStatus::parse(&status)
        .map(Some)
        .ok_or_else(|| broken("status", &status))
}

/// What the filter asks for, newest first.
pub(crate) async fn listed(tx: &Tx, filter: &SagaFilter) -> Result<Vec<Row>, DbErr> {
    let mut conditions = String::from("1 = 1");
    let mut values: Vec<Value> = Vec::new();
    let mut demand = |condition: &str, value: Value| {
        values.push(value);
        conditions = format!("{conditions} AND {condition} ${}", values.len());
    };
    if let Some(status) = filter.status {
        demand(narrowed(status), status.as_str().into());
    }
    if let Some(subject) = &filter.subject {
        demand("subject =", subject.as_str().into());
    }
    if let Some(before) = filter.before {
        demand("id <", before.uuid().into());
    }
    values.push(i64::try_from(filter.limit).unwrap_or(i64::MAX).into());
    let sql = format!(
        "SELECT {COLUMNS} FROM saga WHERE {conditions} ORDER BY id DESC LIMIT ${}",
        values.len()
    );
    let found = query(tx, sql, values).await?;
    found.iter().map(Row::read).collect()
}

/// That the status is the value to come, behind the condition of the partial
/// index that has every saga of it, word for word, so that SQLite sees that it
/// may use it.
fn narrowed(status: SagaStatus) -> &'static str {
    match status {
        SagaStatus::Compensating | SagaStatus::Stuck | SagaStatus::Waiting => {
            "(status = 'compensating' OR status = 'stuck' OR status = 'waiting') AND status ="
        }
        SagaStatus::Pending => "due_at IS NOT NULL AND status =",
        SagaStatus::Completed | SagaStatus::Compensated => "status =",
    }
}

/// How many sagas wait for a person.
pub(crate) async fn stuck(tx: &Tx) -> Result<u64, DbErr> {
    let sql = "SELECT COUNT(*) AS n FROM saga \
        WHERE (status = 'compensating' OR status = 'stuck' OR status = 'waiting') \
        AND status = 'stuck'";
    let found = query_one(tx, sql, []).await?;
    let n: i64 = found.map_or(Ok(0), |row| row.try_get("", "n"))?;
    Ok(u64::try_from(n).unwrap_or(0))
}

/// Unfinished sagas whose claim has lapsed (or is of somebody who can't be, where
/// `owner` is `alone`), whose time came more than `grace` ago, or which `owner`
/// is said to hold: ids, and whether it is the last.
pub(crate) async fn unowned(
    tx: &Tx,
    owner: Uuid,
    alone: bool,
    now: Timestamp,
    grace: Duration,
) -> Result<Vec<(SagaId, bool)>, DbErr> {
    let others = if alone { "" } else { " AND due_at <= $2" };
    let sql = format!(
        "SELECT id, owner FROM saga WHERE due_at IS NOT NULL AND (owner = $1 \
         OR owner IS NOT NULL{others} OR owner IS NULL AND due_at <= ${})",
        if alone { 2 } else { 3 }
    );
    let mut values: Vec<Value> = vec![owner.into()];
    if !alone {
        values.push(now.as_micros().into());
    }
    values.push(now.minus(grace).as_micros().into());
    let found = query(tx, sql, values).await?;
    let mut suspects = Vec::new();
    for row in &found {
        let holder: Option<Uuid> = row.try_get("", "owner")?;
        let id = SagaId::from_uuid(row.try_get("", "id")?);
        suspects.push((id, holder == Some(owner)));
    }
    Ok(suspects)
}
