//! Who may move a saga: claims with a fence. A claim raises the fence, every
//! move names it, and so whoever lost a claim can't move the saga any more,
//! however late it wakes up.

use cleave_store::sql::{among_free, execute, in_list, query, query_one};
use cleave_store::{Tx, portions};
use cleave_vocabulary::{SagaId, Timestamp};
use sea_orm::{DbErr, Value};
use uuid::Uuid;

use super::row::{COLUMNS, Row};

/// The condition that a saga is of one of these kinds and versions. They are
/// names of this program's code, never input.
pub(crate) fn among(known: &[(&'static str, u32)]) -> String {
    if known.is_empty() {
        return "1 = 0".to_owned();
    }
    let each: Vec<_> = known
        .iter()
        .map(|(kind, version)| format!("(kind = '{kind}' AND version = {version})"))
        .collect();
    format!("({})", each.join(" OR "))
}

/// Claims up to `limit` sagas that are due, the longest due first, without those
/// that somebody else is about.
pub(crate) async fn claim(
    tx: &Tx,
    owner: Uuid,
    known: &str,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<Row>, DbErr> {
    let free = among_free(
        tx,
        &format!("SELECT id FROM saga WHERE due_at <= $3 AND {known} ORDER BY due_at LIMIT $4"),
    );
    let sql = format!(
        "UPDATE saga SET owner = $1, due_at = $2, fence = fence + 1 WHERE id {free} \
         RETURNING {COLUMNS}"
    );
    let values: [Value; 4] = [
        owner.into(),
        until.as_micros().into(),
        now.as_micros().into(),
        i64::from(limit).into(),
    ];
    let found = query(tx, sql, values).await?;
    found.iter().map(Row::read).collect()
}

/// The earliest moment at which a saga of a known kind is due.
pub(crate) async fn next_due(tx: &Tx, known: &str) -> Result<Option<Timestamp>, DbErr> {
    let sql = format!(
        "SELECT due_at FROM saga WHERE due_at IS NOT NULL AND {known} ORDER BY due_at LIMIT 1"
    );
    let found = query_one(tx, sql, []).await?;
    let micros: Option<i64> = match found {
        Some(row) => row.try_get("", "due_at")?,
        None => None,
    };
    Ok(micros.map(Timestamp::from_micros))
}

/// Makes every saga that someone holds due at once: for whoever knows that the
/// holders are dead.
pub(crate) async fn take_over(tx: &Tx, now: Timestamp) -> Result<u64, DbErr> {
    let sql = "UPDATE saga SET owner = NULL, due_at = $1, fence = fence + 1 \
        WHERE due_at IS NOT NULL AND owner IS NOT NULL";
    execute(tx, sql, [now.as_micros().into()]).await
}

/// Lets go of everything that `owner` holds.
pub(crate) async fn release(tx: &Tx, owner: Uuid, now: Timestamp) -> Result<u64, DbErr> {
    let sql = "UPDATE saga SET owner = NULL, due_at = $1, fence = fence + 1 \
        WHERE due_at IS NOT NULL AND owner = $2";
    let values: [Value; 2] = [now.as_micros().into(), owner.into()];
    execute(tx, sql, values).await
}

/// What `owner` holds.
pub(crate) async fn held(tx: &Tx, owner: Uuid) -> Result<Vec<SagaId>, DbErr> {
    let sql = "SELECT id FROM saga WHERE due_at IS NOT NULL AND owner = $1";
    let found = query(tx, sql, [owner.into()]).await?;
    let ids = found.iter().map(|row| row.try_get("", "id"));
    ids.map(|id| id.map(SagaId::from_uuid)).collect()
}

/// Lets go of these, as far as `owner` holds them.
pub(crate) async fn let_go(
    tx: &Tx,
    owner: Uuid,
    ids: &[SagaId],
    now: Timestamp,
) -> Result<u64, DbErr> {
    let mut freed = 0;
    for ids in portions(ids) {
        let head = "UPDATE saga SET owner = NULL, due_at = $1, fence = fence + 1 \
            WHERE due_at IS NOT NULL AND owner = $2 AND id IN ";
        let mut values: Vec<Value> = vec![now.as_micros().into(), owner.into()];
        values.extend(ids.iter().map(|id| Value::from(id.uuid())));
        freed += execute(tx, in_list(head, 3, ids.len()), values).await?;
    }
    Ok(freed)
}

/// A saga that nobody here can drive.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) id: SagaId,
    pub(crate) kind: String,
    pub(crate) version: i64,
}

/// Sets sagas of no known definition that have been due since `since` to wait
/// until `until`, with `error`; gives those that did not say so already.
pub(crate) async fn set_aside_orphans(
    tx: &Tx,
    known: &str,
    since: Timestamp,
    until: Timestamp,
    error: &str,
) -> Result<Vec<Orphan>, DbErr> {
    let sql = format!(
        "SELECT id, kind, version, fence, error FROM saga WHERE due_at <= $1 AND NOT {known} \
         ORDER BY due_at LIMIT 100"
    );
    let found = query(tx, sql, [since.as_micros().into()]).await?;
    let mut news = Vec::new();
    for row in &found {
        let said: Option<String> = row.try_get("", "error")?;
        let orphan = Orphan {
            id: SagaId::from_uuid(row.try_get("", "id")?),
            kind: row.try_get("", "kind")?,
            version: row.try_get("", "version")?,
        };
        set_aside(tx, orphan.id, row.try_get("", "fence")?, until, error).await?;
        if said.as_deref() != Some(error) {
            news.push(orphan);
        }
    }
    Ok(news)
}

/// Sets a saga that can't be driven to wait until `until`, with `error`.
pub(crate) async fn set_aside(
    tx: &Tx,
    id: SagaId,
    fence: i64,
    until: Timestamp,
    error: &str,
) -> Result<(), DbErr> {
    let sql = "UPDATE saga SET status = 'waiting', error = $1, owner = NULL, due_at = $2, \
        fence = fence + 1 WHERE id = $3 AND fence = $4 AND due_at IS NOT NULL";
    let values: [Value; 4] = [
        error.into(),
        until.as_micros().into(),
        id.uuid().into(),
        fence.into(),
    ];
    execute(tx, sql, values).await.map(drop)
}
