//! The reservations' rows. Each change is guarded by the state it starts from,
//! in the statement that makes it: of two that race, one finds nothing to do.

use std::sync::LazyLock;

use cleave_inventory_contract::port::Holding;
use cleave_store::sql::{among_free, execute, query, query_one};
use cleave_store::{Change, Tx};
use cleave_vocabulary::{CorrelationId, OrderId, Refusal, ReservationId, Timestamp};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryResult, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::cells::{column, nonsense};
use super::entities::reservation;
use crate::domain::{Lines, Reservation, State, Transition};

/// Ids in one statement at the most.
const CHUNK: usize = 500;

/// A reservation that is to be held.
#[derive(Debug, Clone)]
pub(crate) struct NewReservation {
    pub(crate) order: OrderId,
    pub(crate) id: ReservationId,
    pub(crate) lines: Lines,
    pub(crate) expires_at: Timestamp,
    pub(crate) key: String,
    pub(crate) correlation: CorrelationId,
    pub(crate) at: Timestamp,
}

/// A reservation that a transition just ended or moved.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub(crate) order: OrderId,
    pub(crate) id: ReservationId,
    pub(crate) lines: Lines,
    pub(crate) correlation: CorrelationId,
}

/// Opens a reservation as held; false where the order has one, or the key is
/// known.
pub(crate) async fn open(tx: &Tx, new: &NewReservation) -> Result<bool, DbErr> {
    static INSERT: LazyLock<Change> = LazyLock::new(|| {
        let columns = "order_id, id, state, lines, expires_at, reserve_key, correlation, \
            created_at, changed_at";
        Change::insert("reservations", columns, "ON CONFLICT DO NOTHING")
    });
    let values: Vec<Value> = vec![
        new.order.uuid().into(),
        new.id.uuid().into(),
        State::Held.as_str().into(),
        to_json(&new.lines)?.into(),
        new.expires_at.as_micros().into(),
        new.key.as_str().into(),
        new.correlation.as_str().into(),
        new.at.as_micros().into(),
        new.at.as_micros().into(),
    ];
    INSERT.run(tx, values).await
}

/// Leaves a tombstone for an order that has no reservation; false where it has one.
pub(crate) async fn bury(
    tx: &Tx,
    order: OrderId,
    correlation: &CorrelationId,
    at: Timestamp,
) -> Result<bool, DbErr> {
    const SQL: &str = "INSERT INTO reservations (order_id, state, expires_at, correlation, \
         created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let values: Vec<Value> = vec![
        order.uuid().into(),
        State::Released.as_str().into(),
        at.as_micros().into(),
        correlation.as_str().into(),
        at.as_micros().into(),
        at.as_micros().into(),
    ];
    changed_one(tx, SQL, values).await
}

/// Turns what [`open`] wrote in this unit of work into a refused reservation.
pub(crate) async fn refuse(tx: &Tx, order: OrderId, refusal: &Refusal) -> Result<(), DbErr> {
    const SQL: &str =
        "UPDATE reservations SET state = $1, id = NULL, refusal = $2 WHERE order_id = $3";
    let values: Vec<Value> = vec![
        State::Refused.as_str().into(),
        to_json(refusal)?.into(),
        order.uuid().into(),
    ];
    changed_one(tx, SQL, values).await.map(drop)
}

/// Keeps the outcome of the first command that came behind a tombstone.
pub(crate) async fn remember_refusal(
    tx: &Tx,
    order: OrderId,
    key: &str,
    refusal: &Refusal,
) -> Result<(), DbErr> {
    const SQL: &str = "UPDATE reservations SET reserve_key = $1, refusal = $2 \
         WHERE order_id = $3 AND reserve_key IS NULL";
    let values: Vec<Value> = vec![key.into(), to_json(refusal)?.into(), order.uuid().into()];
    changed_one(tx, SQL, values).await.map(drop)
}

/// Takes what is held and has not lapsed; nothing where there is no such.
pub(crate) async fn take(
    tx: &Tx,
    order: OrderId,
    key: &str,
    at: Timestamp,
) -> Result<Option<Settled>, DbErr> {
    // The state from which it is taken stands in the text, here and below: SQLite
    // plans a statement anew for each value that it compares with what the
    // partial index asks for.
    const SQL: &str = "UPDATE reservations SET state = 'taken', take_key = $1, changed_at = $2 \
         WHERE order_id = $3 AND state = 'held' AND expires_at > $4 \
         RETURNING order_id, id, lines, correlation";
    let values: Vec<Value> = vec![
        key.into(),
        at.as_micros().into(),
        order.uuid().into(),
        at.as_micros().into(),
    ];
    let row = query_one(tx, SQL, values).await?;
    row.as_ref().map(settled).transpose()
}

/// Makes the transition where the order's reservation is in its first state.
pub(crate) async fn advance(
    tx: &Tx,
    order: OrderId,
    transition: Transition,
    at: Timestamp,
) -> Result<Option<Settled>, DbErr> {
    let sql = format!(
        "UPDATE reservations SET state = $1, changed_at = $2 \
         WHERE order_id = $3 AND state = '{}' RETURNING order_id, id, lines, correlation",
        transition.from().as_str()
    );
    let values: Vec<Value> = vec![
        transition.to().as_str().into(),
        at.as_micros().into(),
        order.uuid().into(),
    ];
    let row = query_one(tx, sql, values).await?;
    row.as_ref().map(settled).transpose()
}

/// Expires up to `limit` of those whose time is over and that nobody else is about.
pub(crate) async fn expire_due(tx: &Tx, at: Timestamp, limit: i64) -> Result<Vec<Settled>, DbErr> {
    // `held` stands in the text where the partial index is to be used: a
    // database can't know it from a placeholder.
    const DUE: &str = "SELECT order_id FROM reservations WHERE state = 'held' \
         AND expires_at <= $3 ORDER BY expires_at LIMIT $4";
    let sql = format!(
        "UPDATE reservations SET state = $1, changed_at = $2 WHERE order_id {} \
         RETURNING order_id, id, lines, correlation",
        among_free(tx, DUE)
    );
    let values: Vec<Value> = vec![
        Transition::Expire.to().as_str().into(),
        at.as_micros().into(),
        at.as_micros().into(),
        limit.into(),
    ];
    let rows = query(tx, sql, values).await?;
    rows.iter().map(settled).collect()
}

/// When the next of those that are held lapses.
pub(crate) async fn next_expiry(tx: &Tx) -> Result<Option<Timestamp>, DbErr> {
    const SQL: &str =
        "SELECT expires_at FROM reservations WHERE state = 'held' ORDER BY expires_at LIMIT 1";
    let row = query_one(tx, SQL, vec![]).await?;
    row.map(|row| column(&row, "expires_at").map(Timestamp::from_micros))
        .transpose()
}

/// The reservation of an order.
pub(crate) async fn find_reservation(
    tx: &Tx,
    order: OrderId,
) -> Result<Option<Reservation>, DbErr> {
    let row = reservation::Entity::find_by_id(order.uuid())
        .one(tx)
        .await?;
    row.map(reservation).transpose()
}

/// The reservation that a command with this key asked for.
pub(crate) async fn find_by_key(tx: &Tx, key: &str) -> Result<Option<Reservation>, DbErr> {
    let row = reservation::Entity::find()
        .filter(reservation::Column::ReserveKey.eq(key))
        .one(tx)
        .await?;
    row.map(reservation).transpose()
}

/// Where the reservations of these orders stand.
pub(crate) async fn holdings(tx: &Tx, orders: &[OrderId]) -> Result<Vec<Holding>, DbErr> {
    let mut items = Vec::with_capacity(orders.len());
    for chunk in orders.chunks(CHUNK) {
        let some = reservation::Column::OrderId.is_in(chunk.iter().map(|order| order.uuid()));
        let rows = reservation::Entity::find().filter(some).all(tx).await?;
        for row in rows {
            let found = reservation(row)?;
            items.extend(found.holding().map(|state| Holding {
                order_id: found.order,
                state,
            }));
        }
    }
    Ok(items)
}

/// Up to `limit` of what is held behind `after`, as (place, lines), in the order
/// of the places.
pub(crate) async fn live_lines(
    tx: &Tx,
    after: (i64, Uuid),
    limit: i64,
) -> Result<Vec<((i64, Uuid), Lines)>, DbErr> {
    const SQL: &str = "SELECT expires_at, order_id, lines FROM reservations \
         WHERE state = 'held' AND (expires_at, order_id) > ($1, $2) \
         ORDER BY expires_at, order_id LIMIT $3";
    let values = vec![after.0.into(), after.1.into(), limit.into()];
    let rows = query(tx, SQL, values).await?;
    rows.iter()
        .map(|row| {
            let place = (column(row, "expires_at")?, column(row, "order_id")?);
            Ok((place, json(column(row, "lines")?, "lines")?))
        })
        .collect()
}

/// The last of the next `count` orders behind `after` that have a reservation;
/// nothing where there are fewer.
pub(crate) async fn order_at(
    tx: &Tx,
    after: OrderId,
    count: i64,
) -> Result<Option<OrderId>, DbErr> {
    const SQL: &str = "SELECT order_id FROM reservations WHERE order_id > $1 \
         ORDER BY order_id LIMIT 1 OFFSET $2";
    let values = vec![after.uuid().into(), (count - 1).into()];
    let row = query_one(tx, SQL, values).await?;
    row.map(|row| column(&row, "order_id").map(OrderId::from_uuid))
        .transpose()
}

/// How many reservations of the orders behind `after`, up to and including
/// `last`, are in each state that occurs, by its name.
pub(crate) async fn count_by_state(
    tx: &Tx,
    after: OrderId,
    last: OrderId,
) -> Result<Vec<(String, i64)>, DbErr> {
    const SQL: &str = "SELECT state, COUNT(*) AS count FROM reservations \
         WHERE order_id > $1 AND order_id <= $2 GROUP BY state";
    let values = vec![after.uuid().into(), last.uuid().into()];
    let rows = query(tx, SQL, values).await?;
    rows.iter()
        .map(|row| Ok((column(row, "state")?, column(row, "count")?)))
        .collect()
}

async fn changed_one(tx: &Tx, sql: &str, values: Vec<Value>) -> Result<bool, DbErr> {
    Ok(execute(tx, sql, values).await? == 1)
}

fn settled(row: &QueryResult) -> Result<Settled, DbErr> {
    let order: Uuid = column(row, "order_id")?;
    let id: Uuid = column(row, "id")?;
    let correlation: String = column(row, "correlation")?;
    Ok(Settled {
        order: OrderId::from_uuid(order),
        id: ReservationId::from_uuid(id),
        lines: json(column(row, "lines")?, "lines")?,
        correlation: parse(&correlation)?,
    })
}

fn reservation(row: reservation::Model) -> Result<Reservation, DbErr> {
    Ok(Reservation {
        order: OrderId::from_uuid(row.order_id),
        id: row.id.map(ReservationId::from_uuid),
        state: State::named(&row.state).ok_or_else(|| nonsense("state of a reservation"))?,
        lines: row.lines.map(|text| json(text, "lines")).transpose()?,
        expires_at: Timestamp::from_micros(row.expires_at),
        reserve_key: row.reserve_key,
        refusal: row.refusal.map(|text| json(text, "refusal")).transpose()?,
        take_key: row.take_key,
        correlation: parse(&row.correlation)?,
    })
}

fn parse(correlation: &str) -> Result<CorrelationId, DbErr> {
    correlation.parse().map_err(|_| nonsense("correlation id"))
}

#[expect(clippy::needless_pass_by_value, reason = "rows give their text away")]
fn json<T: DeserializeOwned>(text: String, what: &str) -> Result<T, DbErr> {
    serde_json::from_str(&text).map_err(|_| nonsense(what))
}

fn to_json(value: &impl Serialize) -> Result<String, DbErr> {
    serde_json::to_string(value).map_err(|error| DbErr::Json(error.to_string()))
}
