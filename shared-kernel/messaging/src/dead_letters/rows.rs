//! The rows of dead letters and of the events that wait behind them. The letter
//! counts what waits, and every change of a parked key changes that one row
//! first: where units run side by side, its lock puts them in a row.

use std::sync::Arc;

use cleave_store::Tx;
use cleave_vocabulary::{Envelope, EventId, Timestamp};
use sea_orm::{DbErr, QueryResult, Value};
use uuid::Uuid;

use super::{DeadLetter, id};
use crate::sql::{self, execute, query, query_one, signed};

/// The head of a parked key.
pub(crate) struct Letter {
    pub(crate) handler: String,
    pub(crate) subject: String,
    pub(crate) event: EventId,
    pub(crate) envelope: String,
}

/// Where a page of letters starts.
pub(super) struct Bound {
    event: Uuid,
    handler: String,
}

impl Bound {
    pub(super) fn newest() -> Self {
        Self::at(EventId::from_uuid(Uuid::max()), String::new())
    }

    /// Behind the letter of this event and handler.
    pub(super) fn at(event: EventId, handler: String) -> Self {
        Self {
            event: event.uuid(),
            handler,
        }
    }

    /// At the letters of this event, whatever the handler.
    pub(super) fn through(event: EventId) -> Self {
        Self::at(event, char::MAX.to_string())
    }
}

/// A page of letters.
pub(super) async fn list(
    tx: &Tx,
    context: &str,
    from: &Bound,
    limit: u64,
) -> Result<Vec<DeadLetter>, DbErr> {
    const LIST: &str = "SELECT handler, subject, event_id, event_type, error, attempts, waiting, \
         failed_at FROM dead_letters WHERE event_id < $1 OR (event_id = $2 AND handler < $3) \
         ORDER BY event_id DESC, handler DESC LIMIT $4";
    let values = vec![
        from.event.into(),
        from.event.into(),
        from.handler.as_str().into(),
        signed(limit).into(),
    ];
    let rows = query(tx, LIST, values).await?;
    rows.iter().map(|row| shown(context, row)).collect()
}

fn shown(context: &str, row: &QueryResult) -> Result<DeadLetter, DbErr> {
    let handler: String = row.try_get("", "handler")?;
    let event = EventId::from_uuid(row.try_get("", "event_id")?);
    let attempts: i64 = row.try_get("", "attempts")?;
    let waiting: i64 = row.try_get("", "waiting")?;
    Ok(DeadLetter {
        id: id::format(context, &handler, event),
        event_type: row.try_get("", "event_type")?,
        event_id: event.to_string(),
        subject: row.try_get("", "subject")?,
        error: row.try_get("", "error")?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        waiting: waiting.unsigned_abs(),
        at: Timestamp::from_micros(row.try_get("", "failed_at")?),
        handler,
    })
}

/// Takes hold of a letter: the row is written, if with what it holds, so that
/// no other unit can change it before this one ends.
const HOLD: &str = "UPDATE dead_letters SET attempts = attempts WHERE ";
const LETTER: &str = " RETURNING handler, subject, event_id, envelope";

async fn hold(tx: &Tx, which: &str, values: Vec<Value>) -> Result<Option<Letter>, DbErr> {
    let sql = [HOLD, which, LETTER].concat();
    let Some(row) = query_one(tx, sql, values).await? else {
        return Ok(None);
    };
    Ok(Some(Letter {
        handler: row.try_get("", "handler")?,
        subject: row.try_get("", "subject")?,
        event: EventId::from_uuid(row.try_get("", "event_id")?),
        envelope: row.try_get("", "envelope")?,
    }))
}

/// The letter of one event and handler.
pub(super) async fn find(tx: &Tx, handler: &str, event: EventId) -> Result<Option<Letter>, DbErr> {
    let values = vec![event.uuid().into(), handler.into()];
    hold(tx, "event_id = $1 AND handler = $2", values).await
}

/// The letter at the head of a key, where its redrive is asked for.
pub(crate) async fn requested_for(
    tx: &Tx,
    handler: &str,
    subject: &str,
) -> Result<Option<Letter>, DbErr> {
    const KEY: &str = "handler = $1 AND subject = $2 AND redrive_requested";
    hold(tx, KEY, vec![handler.into(), subject.into()]).await
}

/// The keys (handler and subject) of these handlers whose redrive was asked for,
/// the oldest events first.
pub(crate) async fn requested(
    tx: &Tx,
    handlers: &[&str],
    limit: u64,
) -> Result<Vec<(String, String)>, DbErr> {
    const REQUESTED: &str =
        "SELECT handler, subject FROM dead_letters WHERE redrive_requested AND handler IN ";
    let mut values: Vec<Value> = handlers.iter().map(|handler| (*handler).into()).collect();
    let limit_at = values.len() + 1;
    let sql = sql::in_list(REQUESTED, 1, handlers.len());
    values.push(signed(limit).into());
    let rows = query(
        tx,
        format!("{sql} ORDER BY event_id LIMIT ${limit_at}"),
        values,
    )
    .await?;
    let key = |row: &QueryResult| Ok((row.try_get("", "handler")?, row.try_get("", "subject")?));
    rows.iter().map(key).collect()
}

/// The handlers that have letters, and how many.
pub(crate) async fn handlers(tx: &Tx) -> Result<Vec<(String, i64)>, DbErr> {
    const HANDLERS: &str = "SELECT handler, COUNT(*) AS letters FROM dead_letters GROUP BY handler";
    let rows = query(tx, HANDLERS, vec![]).await?;
    let row = |row: &QueryResult| Ok((row.try_get("", "handler")?, row.try_get("", "letters")?));
    rows.iter().map(row).collect()
}

/// Whether any of these keys of a handler is parked.
pub(crate) async fn any_parked(
    tx: &Tx,
    handler: &str,
    events: &[Arc<Envelope>],
) -> Result<bool, DbErr> {
    const PARKED: &str = "SELECT 1 AS parked FROM dead_letters WHERE handler = $1 AND subject IN ";
    let mut values: Vec<Value> = vec![handler.into()];
    values.extend(events.iter().map(|event| event.subject.as_str().into()));
    let row = query_one(tx, sql::in_list(PARKED, 2, events.len()), values).await?;
    Ok(row.is_some())
}

/// Queues the event behind the letter of its key; false where the key is not parked.
pub(crate) async fn park(tx: &Tx, handler: &str, event: &Envelope) -> Result<bool, DbErr> {
    const COUNT: &str =
        "UPDATE dead_letters SET waiting = waiting + 1 WHERE handler = $1 AND subject = $2";
    const PARK: &str = "INSERT INTO parked_events (handler, subject, event_id, envelope) \
         VALUES ($1, $2, $3, $4)";
    let key = vec![handler.into(), event.subject.as_str().into()];
    if execute(tx, COUNT, key).await? == 0 {
        return Ok(false);
    }
    let values = vec![
        handler.into(),
        event.subject.as_str().into(),
        event.id.uuid().into(),
        sql::to_text(event)?.into(),
    ];
    execute(tx, PARK, values).await?;
    Ok(true)
}

/// Makes the event a dead letter, and so parks its key.
pub(crate) async fn bury(
    tx: &Tx,
    handler: &str,
    event: &Envelope,
    error: &str,
    attempts: u32,
    at: Timestamp,
) -> Result<(), DbErr> {
    const BURY: &str = "INSERT INTO dead_letters (handler, subject, event_id, event_type, \
         envelope, error, attempts, waiting, failed_at, redrive_requested) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, FALSE)";
    let values = vec![
        handler.into(),
        event.subject.as_str().into(),
        event.id.uuid().into(),
        event.kind.as_ref().into(),
        sql::to_text(event)?.into(),
        error.into(),
        i64::from(attempts).into(),
        at.as_micros().into(),
    ];
    execute(tx, BURY, values).await?;
    Ok(())
}

/// Asks for a letter's redrive; to ask again changes nothing.
pub(super) async fn request(tx: &Tx, letter: &Letter) -> Result<(), DbErr> {
    const REQUEST: &str = "UPDATE dead_letters SET redrive_requested = TRUE \
         WHERE handler = $1 AND subject = $2";
    let key = vec![
        letter.handler.as_str().into(),
        letter.subject.as_str().into(),
    ];
    execute(tx, REQUEST, key).await?;
    Ok(())
}

/// A redrive failed: the letter stays, with its new error.
pub(crate) async fn put_back(
    tx: &Tx,
    letter: &Letter,
    error: &str,
    attempts: u32,
    at: Timestamp,
) -> Result<(), DbErr> {
    const PUT_BACK: &str = "UPDATE dead_letters SET error = $1, attempts = attempts + $2, \
         failed_at = $3, redrive_requested = FALSE \
         WHERE handler = $4 AND subject = $5 AND event_id = $6";
    let values = vec![
        error.into(),
        i64::from(attempts).into(),
        at.as_micros().into(),
        letter.handler.as_str().into(),
        letter.subject.as_str().into(),
        letter.event.uuid().into(),
    ];
    execute(tx, PUT_BACK, values).await?;
    Ok(())
}

/// The letter is done with: the next event of its key takes its place, with a
/// request to be redriven. False where none waits and the key is free again.
pub(crate) async fn advance(tx: &Tx, letter: &Letter) -> Result<bool, DbErr> {
    const FREE: &str =
        "DELETE FROM dead_letters WHERE handler = $1 AND subject = $2 AND waiting = 0";
    const NEXT: &str = "SELECT seq, event_id, envelope FROM parked_events \
         WHERE handler = $1 AND subject = $2 ORDER BY seq LIMIT 1";
    let key = || -> Vec<Value> {
        vec![
            letter.handler.as_str().into(),
            letter.subject.as_str().into(),
        ]
    };
    if execute(tx, FREE, key()).await? > 0 {
        return Ok(false);
    }
    let Some(next) = query_one(tx, NEXT, key()).await? else {
        let key = format!("{} of {}", letter.subject, letter.handler);
        return Err(DbErr::RecordNotFound(format!("what waits for {key}")));
    };
    promote(tx, letter, &next).await?;
    Ok(true)
}

async fn promote(tx: &Tx, letter: &Letter, next: &QueryResult) -> Result<(), DbErr> {
    const TAKE: &str = "DELETE FROM parked_events WHERE seq = $1";
    const PROMOTE: &str = "UPDATE dead_letters SET event_id = $1, event_type = $2, \
         envelope = $3, error = $4, attempts = 0, waiting = waiting - 1, \
         redrive_requested = TRUE WHERE handler = $5 AND subject = $6";
    let (seq, event): (i64, Uuid) = (next.try_get("", "seq")?, next.try_get("", "event_id")?);
    let envelope: String = next.try_get("", "envelope")?;
    let kind = sql::from_text(&envelope)?.kind;
    execute(tx, TAKE, vec![seq.into()]).await?;
    let values = vec![
        event.into(),
        kind.as_ref().into(),
        envelope.into(),
        "waits to be handled, now that what was before it is done with".into(),
        letter.handler.as_str().into(),
        letter.subject.as_str().into(),
    ];
    execute(tx, PROMOTE, values).await?;
    Ok(())
}
