//! What an audit reads, a page at a time.

use cleave_store::Tx;
use cleave_store::sql::{query, query_one};
use cleave_vocabulary::{Id, Money, OrderId};
use sea_orm::{DbErr, QueryResult, Value};
use uuid::Uuid;

use super::corrupt;
use crate::domain::{Line, Status};

/// What an audit looks at of an order.
#[derive(Debug, Clone)]
pub(crate) struct Audited {
    pub(crate) id: OrderId,
    pub(crate) status: Status,
    pub(crate) total: Money,
    pub(crate) lines: Vec<Line>,
    pub(crate) version: i64,
    /// What the read model says, where it says something.
    pub(crate) viewed: Option<String>,
}

/// Up to `limit` orders behind `after`, in the order of their ids.
pub(crate) async fn audited_after(
    tx: &Tx,
    after: Option<OrderId>,
    limit: i64,
) -> Result<Vec<Audited>, DbErr> {
    const SELECT: &str = "SELECT o.id, o.status, o.total_amount, o.currency, o.items, o.version, \
         v.status AS viewed FROM orders o LEFT JOIN order_view v ON v.order_id = o.id \
         WHERE o.id > $1 ORDER BY o.id LIMIT $2";
    let after = after.map_or(Uuid::nil(), OrderId::uuid);
    let rows = query(tx, SELECT, vec![after.into(), limit.into()]).await?;
    rows.iter().map(audited).collect()
}

/// Whether an order is still as it was when it was read.
pub(crate) async fn unchanged(tx: &Tx, order: OrderId, version: i64) -> Result<bool, DbErr> {
    const SELECT: &str = "SELECT id FROM orders WHERE id = $1 AND version = $2";
    let values: Vec<Value> = vec![order.uuid().into(), version.into()];
    Ok(query_one(tx, SELECT, values).await?.is_some())
}

/// What the read model says of an order, where it says something.
pub(crate) async fn viewed_as(tx: &Tx, order: OrderId) -> Result<Option<String>, DbErr> {
    const SELECT: &str = "SELECT status FROM order_view WHERE order_id = $1";
    let row = query_one(tx, SELECT, vec![order.uuid().into()]).await?;
    row.map(|row| row.try_get("", "status")).transpose()
}

/// Up to `limit` orders that the read model shows behind `after`, in the order
/// of their ids, each with whether it exists.
pub(crate) async fn viewed_after(
    tx: &Tx,
    after: Option<OrderId>,
    limit: i64,
) -> Result<Vec<(OrderId, bool)>, DbErr> {
    const SELECT: &str = "SELECT v.order_id, o.id FROM order_view v \
         LEFT JOIN orders o ON o.id = v.order_id \
         WHERE v.order_id > $1 ORDER BY v.order_id LIMIT $2";
    let after = after.map_or(Uuid::nil(), OrderId::uuid);
    let rows = query(tx, SELECT, vec![after.into(), limit.into()]).await?;
    let viewed = rows.iter().map(|row| {
        let order: Option<Uuid> = row.try_get("", "id")?;
        Ok((Id::from_uuid(row.try_get("", "order_id")?), order.is_some()))
    });
    viewed.collect()
}

fn audited(row: &QueryResult) -> Result<Audited, DbErr> {
    let status: String = row.try_get("", "status")?;
    let currency: String = row.try_get("", "currency")?;
    let items: String = row.try_get("", "items")?;
    let currency = currency.parse().map_err(|why| corrupt("orders", why))?;
    Ok(Audited {
        id: Id::from_uuid(row.try_get("", "id")?),
        status: status.parse().map_err(|why| corrupt("orders", why))?,
        total: Money::new(row.try_get("", "total_amount")?, currency),
        lines: serde_json::from_str(&items).map_err(|why| corrupt("orders", why))?,
        version: row.try_get("", "version")?,
        viewed: row.try_get("", "viewed")?,
    })
}
