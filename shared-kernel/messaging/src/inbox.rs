//! The inbox: (event, handler) is recorded in the transaction of the effect, or
//! in the one that parks the event durably. Either way the handler has taken it
//! over, and a second delivery finds nothing left to do.

use std::collections::HashSet;
use std::time::Duration;

use cleave_store::{Tx, Unit, portions};
use cleave_vocabulary::{EventId, Timestamp};
use sea_orm::{DbErr, Value};
use uuid::Uuid;

use crate::sql::{self, execute, query, signed};

/// The inbox of the context whose transaction it is given.
pub struct Inbox;

impl Inbox {
    /// How long every inbox remembers, whatever its settings.
    pub const REMEMBERS: Duration = Duration::from_hours(24);

    /// Which of `events` the handler has neither handled nor parked nor given up
    /// on. Asks for as many as the caller has the memory for; older events than
    /// the inbox remembers are always missing.
    pub async fn missing(tx: &Tx, handler: &str, events: &[EventId]) -> Unit<Vec<EventId>> {
        const KNOWN: &str = "SELECT event_id FROM inbox WHERE handler = $1 AND event_id IN ";
        let mut missing = Vec::new();
        for some in events.chunks(sql::ROWS) {
            let mut values: Vec<Value> = vec![handler.into()];
            values.extend(some.iter().map(|event| Value::from(event.uuid())));
            let rows = query(tx, sql::in_list(KNOWN, 2, some.len()), values).await?;
            let known = rows
                .iter()
                .map(|row| row.try_get("", "event_id"))
                .collect::<Result<HashSet<Uuid>, _>>()?;
            missing.extend(some.iter().filter(|event| !known.contains(&event.uuid())));
        }
        Ok(missing)
    }
}

/// Records that `handler` takes over `events` in this transaction, and says how
/// many of them are new to it. `events` must not repeat among themselves.
pub(crate) async fn record(
    tx: &Tx,
    handler: &str,
    events: &[EventId],
    at: Timestamp,
) -> Result<usize, DbErr> {
    const HEAD: &str = "INSERT INTO inbox (event_id, handler, handled_at) VALUES ";
    const TAIL: &str = " ON CONFLICT (event_id, handler) DO NOTHING";
    let mut fresh = 0;
    for rows in portions(events) {
        let mut values: Vec<Value> = Vec::with_capacity(rows.len() * 3);
        for event in rows {
            values.extend([event.uuid().into(), handler.into(), at.as_micros().into()]);
        }
        fresh += execute(tx, sql::values_list(HEAD, 1, 3, rows.len(), TAIL), values).await?;
    }
    Ok(usize::try_from(fresh).unwrap_or(events.len()))
}

/// Forgets up to `limit` rows of events that were made, and handled, before
/// `before`; how many there were. An event's id begins with the millisecond it
/// was made in, so age is a range of the primary key and needs no index.
pub(crate) async fn forget(tx: &Tx, before: Timestamp, limit: u64) -> Result<u64, DbErr> {
    const FORGET: &str = "DELETE FROM inbox WHERE (event_id, handler) IN \
         (SELECT event_id, handler FROM inbox WHERE event_id < $1 AND handled_at < $2 \
          ORDER BY event_id LIMIT $3)";
    let values = vec![
        first_id_of(before).into(),
        before.as_micros().into(),
        signed(limit).into(),
    ];
    execute(tx, FORGET, values).await
}

/// The smallest `UUIDv7` (RFC 9562, section 5.7) that could be made at `at`.
fn first_id_of(at: Timestamp) -> Uuid {
    let millis = u128::from(at.as_micros().max(0).unsigned_abs() / 1000);
    Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_before_a_moment_are_smaller_than_its_first() {
        // The example of RFC 9562, appendix A.6: 1645557742000 ms.
        let example: Uuid = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F".parse().expect("id");
        let at = |millis: i64| first_id_of(Timestamp::from_micros(millis * 1000));
        assert!(at(1_645_557_742_000) < example);
        assert!(example < at(1_645_557_742_001));
    }
}
