//! What other contexts said about orders. Rows are numbered for each order, so
//! that one order's story is one range of the key; two that would take the same
//! number cannot both commit, so no reader ever misses one behind its place.

use cleave_store::sql::{query, signed, values_list};
use cleave_store::{Tx, portions};
use cleave_vocabulary::{Envelope, Id, OrderId, Timestamp};
use sea_orm::{DbErr, QueryResult, Value};
use uuid::Uuid;

use super::corrupt;
use crate::domain::timeline::{Cause, Entry, Item, Kind, Tie, detail};

/// What was said about an order.
pub(crate) type About<'a> = (OrderId, &'a Envelope);

/// Writes down events about orders, in this order.
pub(crate) async fn observe(tx: &Tx, said: &[About<'_>], now: Timestamp) -> Result<(), DbErr> {
    for said in portions(said) {
        let mut left = said.to_vec();
        // Another unit may take a number first; once it has committed the next one
        // can be seen.
        while !left.is_empty() {
            let written = write(tx, &left, now).await?;
            left.retain(|(_, event)| !written.contains(&event.id.uuid()));
        }
    }
    Ok(())
}

/// Writes those whose number nobody takes meanwhile; which they were.
async fn write(tx: &Tx, said: &[About<'_>], now: Timestamp) -> Result<Vec<Uuid>, DbErr> {
    const HEAD: &str = "INSERT INTO order_observed \
         (order_id, seq, event_id, event_type, caused_by, occurred_at, recorded_at, data) \
         SELECT v.column1, v.column2 + \
         (SELECT COALESCE(MAX(seq), 0) FROM order_observed WHERE order_id = v.column1), \
         v.column3, v.column4, v.column5, v.column6, v.column7, v.column8 FROM (VALUES ";
    const TAIL: &str =
        ") AS v WHERE true ON CONFLICT (order_id, seq) DO NOTHING RETURNING event_id";
    let mut values: Vec<Value> = Vec::with_capacity(said.len() * COLUMNS);
    for (place, (order, event)) in said.iter().enumerate() {
        let before = said.iter().take(place).filter(|(other, _)| other == order);
        values.extend([
            order.uuid().into(),
            signed(before.count() as u64 + 1).into(),
            event.id.uuid().into(),
            event.kind.as_ref().into(),
            event.causationid.clone().into(),
            event.time.as_micros().into(),
            now.as_micros().into(),
            event.data.get().into(),
        ]);
    }
    let rows = query(tx, values_list(HEAD, 1, COLUMNS, said.len(), TAIL), values).await?;
    rows.iter().map(|row| row.try_get("", "event_id")).collect()
}

const COLUMNS: usize = 8;

/// What was observed of an order behind `after`.
pub(crate) async fn observed_of(tx: &Tx, order: OrderId, after: i64) -> Result<Vec<Entry>, DbErr> {
    const SELECT: &str = "SELECT seq, event_id, event_type, caused_by, occurred_at, recorded_at, \
         data FROM order_observed WHERE order_id = $1 AND seq > $2 ORDER BY seq";
    let rows = query(tx, SELECT, vec![order.uuid().into(), after.into()]).await?;
    rows.iter().map(entry).collect()
}

fn entry(row: &QueryResult) -> Result<Entry, DbErr> {
    let occurred: i64 = row.try_get("", "occurred_at")?;
    let recorded: i64 = row.try_get("", "recorded_at")?;
    let name: String = row.try_get("", "event_type")?;
    let caused_by: Option<String> = row.try_get("", "caused_by")?;
    let data: String = row.try_get("", "data")?;
    let data = serde_json::from_str(&data).map_err(|why| corrupt("order_observed", why))?;
    let cause = caused_by.filter(|_| detail::is_answer(&name, &data));
    Ok(Entry {
        position: row.try_get("", "seq")?,
        tie: Tie::Foreign {
            id: Id::from_uuid(row.try_get("", "event_id")?),
            cause: cause.and_then(|cause| Cause::of(&cause)),
        },
        item: Item {
            // Another machine's clock may be ahead of ours.
            at: Timestamp::from_micros(occurred.min(recorded)),
            context: detail::context_of(&name).into(),
            kind: Kind::Event,
            detail: detail::of_event(data),
            name,
            outcome: None,
            attempt: None,
        },
    })
}
