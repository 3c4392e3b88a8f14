//! What the simulated carrier has to do: many shipments in one statement, found
//! through an index that holds only what is due some day.

use cleave_store::Tx;
use cleave_store::sql::{among_free, query};
use cleave_vocabulary::{CorrelationId, OrderId, ShipmentId, Timestamp, UserId};
use sea_orm::{DbErr, QueryResult, Value};

use super::corrupt;

/// A shipment that was moved on.
#[derive(Debug, Clone)]
pub(crate) struct Moved {
    pub(crate) id: ShipmentId,
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    pub(crate) tracking_number: String,
    pub(crate) correlation: CorrelationId,
}

const ANY: &str = "SELECT 1 AS due WHERE EXISTS \
    (SELECT 1 FROM shipments WHERE status = 'scheduled' AND due_at <= $1) OR EXISTS \
    (SELECT 1 FROM shipments WHERE status = 'in_transit' AND due_at <= $2)";

/// Whether anything is due.
pub(crate) async fn any(tx: &Tx, now: Timestamp) -> Result<bool, DbErr> {
    let now = now.as_micros();
    Ok(!query(tx, ANY, [now.into(), now.into()]).await?.is_empty())
}

/// Picks up what is due and nobody else is about; the next step of each is due at `then`.
pub(crate) async fn pick_up(
    tx: &Tx,
    now: Timestamp,
    then: Option<Timestamp>,
    limit: i64,
) -> Result<Vec<Moved>, DbErr> {
    const DUE: &str = "SELECT id FROM shipments WHERE status = 'scheduled' AND due_at <= $4 \
        ORDER BY due_at LIMIT $5";
    let sql = format!(
        "UPDATE shipments SET status = 'in_transit', dispatched_at = $1, \
         due_at = $2, updated_at = $3, version = version + 1 WHERE id {}",
        among_free(tx, DUE)
    );
    let at = now.as_micros();
    let values = [
        at.into(),
        then.map(Timestamp::as_micros).into(),
        at.into(),
        at.into(),
        limit.into(),
    ];
    move_on(tx, &sql, values).await
}

/// Delivers what is due and nobody else is about.
pub(crate) async fn deliver(tx: &Tx, now: Timestamp, limit: i64) -> Result<Vec<Moved>, DbErr> {
    const DUE: &str = "SELECT id FROM shipments WHERE status = 'in_transit' AND due_at <= $3 \
        ORDER BY due_at LIMIT $4";
    let sql = format!(
        "UPDATE shipments SET status = 'delivered', delivered_at = $1, \
         due_at = NULL, updated_at = $2, version = version + 1 WHERE id {}",
        among_free(tx, DUE)
    );
    let at = now.as_micros();
    let values = [at.into(), at.into(), at.into(), limit.into()];
    move_on(tx, &sql, values).await
}

async fn move_on(
    tx: &Tx,
    update: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<Moved>, DbErr> {
    let sql = format!("{update} RETURNING id, order_id, user_id, tracking_number, correlation_id");
    query(tx, sql, values).await?.iter().map(moved).collect()
}

fn moved(row: &QueryResult) -> Result<Moved, DbErr> {
    let correlation: String = row.try_get("", "correlation_id")?;
    Ok(Moved {
        id: ShipmentId::from_uuid(row.try_get("", "id")?),
        order_id: OrderId::from_uuid(row.try_get("", "order_id")?),
        user_id: UserId::from_uuid(row.try_get("", "user_id")?),
        tracking_number: row.try_get("", "tracking_number")?,
        correlation: correlation.parse().map_err(corrupt)?,
    })
}
