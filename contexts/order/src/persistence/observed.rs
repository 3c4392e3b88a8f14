//! What other contexts said about orders. Rows are numbered for each order, so
//! that one order's story is one range of the key; two that would take the same
//! number cannot both commit, so no reader ever misses one behind its place.

use cleave_store::Tx;
use cleave_store::sql::{execute, query};
use cleave_vocabulary::{Envelope, Id, OrderId, Timestamp};
use sea_orm::{DbErr, QueryResult, Value};

use super::corrupt;
use crate::domain::timeline::{Cause, Entry, Item, Kind, Tie, detail};

/// Writes down an event about an order.
pub(crate) async fn observe(
    tx: &Tx,
    order: OrderId,
    event: &Envelope,
    now: Timestamp,
) -> Result<(), DbErr> {
    const INSERT: &str = "INSERT INTO order_observed \
         (order_id, seq, event_id, event_type, caused_by, occurred_at, recorded_at, data) \
         VALUES ($1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM order_observed WHERE order_id = $2), \
         $3, $4, $5, $6, $7, $8) ON CONFLICT (order_id, seq) DO NOTHING";
    let values: Vec<Value> = vec![
        order.uuid().into(),
        order.uuid().into(),
        event.id.uuid().into(),
        event.kind.as_ref().into(),
        event.causationid.clone().into(),
        event.time.as_micros().into(),
        now.as_micros().into(),
        event.data.get().into(),
    ];
    // Another unit may take the number first; once it has committed the next one
    // can be seen.
    while execute(tx, INSERT, values.clone()).await? == 0 {}
    Ok(())
}

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
