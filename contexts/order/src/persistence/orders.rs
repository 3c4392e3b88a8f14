//! Orders: written once, then moved on by guarded updates. Each update names
//! the states that its transition may start from, taken from the domain, so the
//! first of two that race wins and the other changes nothing.

use std::sync::LazyLock;

use cleave_store::sql::{execute, query_one};
use cleave_store::{Change, Tx};
use cleave_vocabulary::{OrderId, PaymentId, ShipmentId, Timestamp};
use sea_orm::{DbErr, EntityTrait, Value};

use super::corrupt;
use super::row::{Entity, OrderRow};
use crate::domain::{Cancellation, IllegalTransition, Order, Status, Transition};

/// How a guarded update ended: what kept it from being made, if anything did;
/// `None` inside says that there is no such order.
pub(crate) type Advanced = Result<(), Option<IllegalTransition>>;

/// Writes a new order.
pub(crate) async fn insert(tx: &Tx, row: &OrderRow) -> Result<(), DbErr> {
    static INSERT: LazyLock<Change> = LazyLock::new(|| {
        let columns = "id, user_id, status, items, total_amount, currency, payment_method, \
            shipping_address, version, created_at, updated_at";
        Change::insert("orders", columns, "")
    });
    let values: Vec<Value> = vec![
        row.id.into(),
        row.user_id.into(),
        row.status.as_str().into(),
        row.items.as_str().into(),
        row.total_amount.into(),
        row.currency.as_str().into(),
        row.payment_method.as_str().into(),
        row.shipping_address.as_str().into(),
        row.version.into(),
        row.created_at.into(),
        row.updated_at.into(),
    ];
    INSERT.run(tx, values).await.map(drop)
}

/// One order.
pub(crate) async fn find(tx: &Tx, id: OrderId) -> Result<Option<Order>, DbErr> {
    let row = Entity::find_by_id(id.uuid()).one(tx).await?;
    row.map(Order::try_from).transpose()
}

/// How far an order has come.
pub(crate) async fn status_of(tx: &Tx, id: OrderId) -> Result<Option<Status>, DbErr> {
    const STATUS: &str = "SELECT status FROM orders WHERE id = $1";
    let row = query_one(tx, STATUS, vec![id.uuid().into()]).await?;
    row.map(|row| {
        let status: String = row.try_get("", "status")?;
        status.parse().map_err(|why: String| corrupt("orders", why))
    })
    .transpose()
}

/// Its stock is reserved.
pub(crate) async fn confirm(tx: &Tx, id: OrderId, now: Timestamp) -> Result<Advanced, DbErr> {
    static UPDATE: LazyLock<Change> = LazyLock::new(|| guarded(Transition::Confirm, "", 0));
    advance(tx, Transition::Confirm, &UPDATE, vec![], id, now).await
}

/// It is charged. What has been heard of refunds before that stays heard.
pub(crate) async fn pay(
    tx: &Tx,
    id: OrderId,
    payment: PaymentId,
    now: Timestamp,
) -> Result<Advanced, DbErr> {
    const SET: &str = "payment_id = $1, payment_status = CASE WHEN payment_status IN \
         ('partially_refunded', 'refunded') THEN payment_status ELSE 'completed' END, ";
    static UPDATE: LazyLock<Change> = LazyLock::new(|| guarded(Transition::Pay, SET, 1));
    let values = vec![payment.uuid().into()];
    advance(tx, Transition::Pay, &UPDATE, values, id, now).await
}

/// The carrier has it.
pub(crate) async fn ship(
    tx: &Tx,
    id: OrderId,
    shipment: ShipmentId,
    tracking_number: &str,
    now: Timestamp,
) -> Result<Advanced, DbErr> {
    const SET: &str = "shipment_id = $1, tracking_number = $2, shipment_status = 'in_transit', ";
    static UPDATE: LazyLock<Change> = LazyLock::new(|| guarded(Transition::Ship, SET, 2));
    let values = vec![shipment.uuid().into(), tracking_number.into()];
    advance(tx, Transition::Ship, &UPDATE, values, id, now).await
}

/// It has arrived.
pub(crate) async fn deliver(tx: &Tx, id: OrderId, now: Timestamp) -> Result<Advanced, DbErr> {
    const SET: &str = "shipment_status = 'delivered', ";
    static UPDATE: LazyLock<Change> = LazyLock::new(|| guarded(Transition::Deliver, SET, 0));
    advance(tx, Transition::Deliver, &UPDATE, vec![], id, now).await
}

/// Everything done for it is undone. Why, is what was asked for first: the
/// request to cancel it, or else `fallback`.
pub(crate) async fn cancel(
    tx: &Tx,
    id: OrderId,
    fallback: &Cancellation,
    now: Timestamp,
) -> Result<Option<Cancellation>, DbErr> {
    // The right-hand sides all see the row as it was before.
    const SET: &str = "cancel_detail = CASE WHEN cancel_reason IS NULL THEN $1 \
         ELSE cancel_detail END, cancel_reason = COALESCE(cancel_reason, $2), ";
    static UPDATE: LazyLock<String> = LazyLock::new(|| {
        let Guarded { set, guard } = of(Transition::Cancel, SET, 2);
        format!(
            "UPDATE orders SET {set} WHERE id = $4 AND {guard} \
             RETURNING cancel_reason, cancel_detail"
        )
    });
    let values: Vec<Value> = vec![
        fallback.detail.clone().into(),
        fallback.reason.as_str().into(),
        now.as_micros().into(),
        id.uuid().into(),
    ];
    let row = query_one(tx, UPDATE.as_str(), values).await?;
    row.map(|row| {
        let reason: String = row.try_get("", "cancel_reason")?;
        Ok(Cancellation {
            reason: reason
                .parse()
                .map_err(|why: String| corrupt("orders", why))?,
            detail: row.try_get("", "cancel_detail")?,
        })
    })
    .transpose()
}

/// Someone wants it called off; carried out once everything is undone.
pub(crate) async fn request_cancellation(
    tx: &Tx,
    id: OrderId,
    wanted: &Cancellation,
    now: Timestamp,
) -> Result<(), DbErr> {
    const UPDATE: &str = "UPDATE orders SET cancel_reason = $1, cancel_detail = $2, \
         version = version + 1, updated_at = $3 WHERE id = $4 AND cancel_reason IS NULL";
    let values: Vec<Value> = vec![
        wanted.reason.as_str().into(),
        wanted.detail.clone().into(),
        now.as_micros().into(),
        id.uuid().into(),
    ];
    execute(tx, UPDATE, values).await?;
    Ok(())
}

/// A shipment is booked for it. Its pick-up may have been heard of before.
pub(crate) async fn book_shipment(
    tx: &Tx,
    id: OrderId,
    shipment: ShipmentId,
    tracking_number: &str,
    now: Timestamp,
) -> Result<(), DbErr> {
    static UPDATE: LazyLock<Change> = LazyLock::new(|| {
        let set = "shipment_id = $1, tracking_number = $2, \
            shipment_status = COALESCE(shipment_status, 'scheduled'), \
            version = version + 1, updated_at = $3";
        Change::update("orders", 4, set, ("id", 4), "")
    });
    let values: Vec<Value> = vec![
        shipment.uuid().into(),
        tracking_number.into(),
        now.as_micros().into(),
        id.uuid().into(),
    ];
    UPDATE.run(tx, values).await.map(drop)
}

/// How its payment stands, as the payment context says.
pub(crate) async fn note_payment(
    tx: &Tx,
    id: OrderId,
    payment: PaymentId,
    status: &str,
    now: Timestamp,
) -> Result<bool, DbErr> {
    const UPDATE: &str = "UPDATE orders SET payment_id = $1, payment_status = $2, \
         version = version + 1, updated_at = $3 WHERE id = $4 \
         AND (payment_status IS NULL OR payment_status <> $5)";
    let values: Vec<Value> = vec![
        payment.uuid().into(),
        status.into(),
        now.as_micros().into(),
        id.uuid().into(),
        status.into(),
    ];
    Ok(execute(tx, UPDATE, values).await? > 0)
}

/// How a payment that is not done yet stands; too late once it is, or is undone.
pub(crate) async fn note_unpaid(
    tx: &Tx,
    id: OrderId,
    payment: PaymentId,
    status: &str,
    now: Timestamp,
) -> Result<bool, DbErr> {
    match status_of(tx, id).await? {
        Some(Status::Pending | Status::Confirmed) => {
            note_payment(tx, id, payment, status, now).await
        }
        _ => Ok(false),
    }
}

/// Its shipment was called off.
pub(crate) async fn note_shipment_cancelled(
    tx: &Tx,
    id: OrderId,
    shipment: ShipmentId,
    now: Timestamp,
) -> Result<(), DbErr> {
    const UPDATE: &str = "UPDATE orders SET shipment_id = $1, shipment_status = 'cancelled', \
         version = version + 1, updated_at = $2 WHERE id = $3";
    let values: Vec<Value> = vec![
        shipment.uuid().into(),
        now.as_micros().into(),
        id.uuid().into(),
    ];
    execute(tx, UPDATE, values).await?;
    Ok(())
}

/// The update of a transition: `set` fills the first `bound` placeholders.
fn guarded(transition: Transition, set: &str, bound: usize) -> Change {
    let Guarded { set, guard } = of(transition, set, bound);
    Change::update("orders", bound + 2, &set, ("id", bound + 2), &guard)
}

/// What a transition makes of an order, and which orders it may start from.
struct Guarded {
    set: String,
    guard: String,
}

fn of(transition: Transition, set: &str, bound: usize) -> Guarded {
    let from: Vec<_> = transition
        .from()
        .iter()
        .map(|it| format!("'{it}'"))
        .collect();
    Guarded {
        set: format!(
            "{set}status = '{to}', version = version + 1, updated_at = ${at}",
            to = transition.to(),
            at = bound + 1,
        ),
        guard: format!("status IN ({})", from.join(", ")),
    }
}

async fn advance(
    tx: &Tx,
    transition: Transition,
    update: &'static Change,
    mut values: Vec<Value>,
    id: OrderId,
    now: Timestamp,
) -> Result<Advanced, DbErr> {
    values.push(now.as_micros().into());
    values.push(id.uuid().into());
    if update.run(tx, values).await? {
        return Ok(Ok(()));
    }
    let status = status_of(tx, id).await?;
    Ok(Err(status.and_then(|status| status.after(transition).err())))
}
