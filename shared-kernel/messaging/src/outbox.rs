//! The outbox: the event is written in the transaction that made it true.
//! Nothing is ever deleted from it, so it is the context's event history too.
//!
//! On SQLite rows are numbered by the single writer, so that the numbers rise in
//! the order of the commits. On Postgres they rise in the order in which they
//! were drawn, which is the order of the commits for each subject (a unit holds
//! its aggregate's row by then) and not for all: whoever follows the whole
//! outbox does it through [`Follower`](crate::follower::Follower).

use std::sync::Arc;

use cleave_store::{Journal, Signal, Tx, Unit, portions};
use cleave_vocabulary::Envelope;
use sea_orm::{DbErr, QueryResult, Value};

use crate::hand_over::Appended;
use crate::sql::{self, execute, query, query_one, signed};

/// Raised by a commit that wrote to the outbox.
pub const OUTBOX: Signal = "outbox";

/// The outbox of the context whose transaction it is given.
pub struct Outbox;

impl Outbox {
    /// Writes events in the unit's transaction; they go out after its commit, in this order.
    pub async fn append(tx: &Tx, events: &[Envelope]) -> Result<(), DbErr> {
        static ROWS: Journal = Journal::new("outbox", &["subject", "envelope"]);
        for rows in portions(events) {
            let mut values: Vec<Value> = Vec::with_capacity(rows.len() * ROWS.width());
            for event in rows {
                values.push(event.subject.as_str().into());
                values.push(sql::to_text(event)?.into());
            }
            let last = ROWS.append(tx, values).await?;
            hand_over(tx, rows, last);
        }
        if !events.is_empty() {
            tx.signal(OUTBOX);
        }
        Ok(())
    }

    /// The history: up to `limit` events behind `after`, each with its sequence
    /// number. Up to the watermark nothing is missing; above it, and on Postgres,
    /// an event may still come to stand before one that was read.
    pub async fn history(tx: &Tx, after: i64, limit: u64) -> Unit<Vec<(i64, Envelope)>> {
        let rows = Self::rows(tx, after, limit).await?;
        Ok(parse(&rows)?)
    }

    /// The events about one aggregate, in commit order, with their sequence numbers.
    pub async fn of_subject(tx: &Tx, subject: &str, after: i64) -> Unit<Vec<(i64, Envelope)>> {
        const OF_SUBJECT: &str =
            "SELECT seq, envelope FROM outbox WHERE subject = $1 AND seq > $2 ORDER BY seq";
        let rows = query(tx, OF_SUBJECT, vec![subject.into(), after.into()]).await?;
        let rows = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        Ok(parse(&rows)?)
    }

    /// The watermark: every event up to this number is settled, which over the
    /// in-process bus means that each of its handlers has handled or parked it.
    /// Behind the truth by as much as the relay has not written down yet.
    pub async fn settled(tx: &Tx) -> Unit<i64> {
        const SETTLED: &str = "SELECT settled FROM outbox_relay WHERE id = 1";
        let row = query_one(tx, SETTLED, vec![]).await?;
        Ok(row.map_or(Ok(0), |row| row.try_get("", "settled"))?)
    }

    /// How many events lie above the watermark.
    pub async fn unsettled(tx: &Tx) -> Unit<u64> {
        const UNSETTLED: &str = "SELECT COUNT(*) AS events FROM outbox \
             WHERE seq > (SELECT settled FROM outbox_relay WHERE id = 1)";
        let row = query_one(tx, UNSETTLED, vec![]).await?;
        let events: i64 = row.map_or(Ok(0), |row| row.try_get("", "events"))?;
        Ok(events.unsigned_abs())
    }

    /// The number of the last event; zero for none.
    pub(crate) async fn last(tx: &Tx) -> Result<i64, DbErr> {
        const LAST: &str = "SELECT COALESCE(MAX(seq), 0) AS last FROM outbox";
        let row = query_one(tx, LAST, vec![]).await?;
        row.map_or(Ok(0), |row| row.try_get("", "last"))
    }

    /// Up to `limit` rows behind `after`, envelopes still as text.
    pub(crate) async fn rows(tx: &Tx, after: i64, limit: u64) -> Result<Vec<Row>, DbErr> {
        const ROWS: &str = "SELECT seq, envelope FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2";
        let rows = query(tx, ROWS, vec![after.into(), signed(limit).into()]).await?;
        rows.iter().map(row).collect()
    }

    /// Moves the watermark up.
    pub(crate) async fn settle(tx: &Tx, up_to: i64) -> Result<(), DbErr> {
        const SETTLE: &str = "UPDATE outbox_relay SET settled = $1 WHERE id = 1 AND settled < $2";
        execute(tx, SETTLE, vec![up_to.into(), up_to.into()]).await?;
        Ok(())
    }

    /// Moves the watermark down: what lies above it goes out again.
    pub(crate) async fn unsettle(tx: &Tx, down_to: i64) -> Result<(), DbErr> {
        const UNSETTLE: &str = "UPDATE outbox_relay SET settled = $1 WHERE id = 1 AND settled > $2";
        execute(tx, UNSETTLE, vec![down_to.into(), down_to.into()]).await?;
        Ok(())
    }
}

/// Lets the relay have `events` without a look into the outbox, where it runs in
/// this process and the store numbers rows as they commit.
fn hand_over(tx: &Tx, events: &[Envelope], last: Option<i64>) {
    if !tx.is_followed(OUTBOX) {
        return;
    }
    if let (Some(last), Ok(count)) = (last, i64::try_from(events.len())) {
        let first = last - count + 1;
        let events = events.iter().cloned().map(Arc::new).collect();
        tx.tell(OUTBOX, Appended { first, events });
    }
}

/// A sequence number, and the envelope as it was written.
pub(crate) type Row = (i64, String);

fn row(result: &QueryResult) -> Result<Row, DbErr> {
    Ok((result.try_get("", "seq")?, result.try_get("", "envelope")?))
}

fn parse(rows: &[Row]) -> Result<Vec<(i64, Envelope)>, DbErr> {
    rows.iter()
        .map(|(seq, text)| Ok((*seq, sql::from_text(text)?)))
        .collect()
}
