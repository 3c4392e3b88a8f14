//! The table `shipments`: a row for each order, with its shipment, the carrier's
//! refusal, or the tombstone of a cancellation that came first.

use std::sync::LazyLock;

use cleave_store::sql::execute;
use cleave_store::{Change, Tx};
use cleave_vocabulary::{OrderId, ShipmentId, Timestamp, UserId};
use sea_orm::entity::prelude::*;
use sea_orm::{ExprTrait, QueryOrder, QuerySelect};

use super::corrupt;
use crate::domain::{RefusedBooking, Shipment, ShipmentStatus, Slot};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "shipments")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    order_id: Uuid,
    user_id: Option<Uuid>,
    schedule_key: Option<String>,
    status: String,
    carrier: Option<String>,
    tracking_number: Option<String>,
    refusal: Option<String>,
    correlation_id: Option<String>,
    due_at: Option<i64>,
    dispatched_at: Option<i64>,
    delivered_at: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The status of a tombstone.
const VOID: &str = "void";
/// The status of an attempt that the carrier refused.
const REFUSED: &str = "refused";

static INSERT: LazyLock<Change> = LazyLock::new(|| {
    let columns = "id, order_id, user_id, schedule_key, status, carrier, tracking_number, \
        correlation_id, due_at, version, created_at, updated_at";
    Change::insert("shipments", columns, "ON CONFLICT DO NOTHING")
});

/// Writes a new shipment; false where its order has something already, or its
/// key belongs to another.
pub(crate) async fn insert(tx: &Tx, shipment: &Shipment) -> Result<bool, DbErr> {
    let values = [
        shipment.id.uuid().into(),
        shipment.order_id.uuid().into(),
        shipment.user_id.uuid().into(),
        shipment.key.as_str().into(),
        shipment.status.as_str().into(),
        shipment.carrier.as_str().into(),
        shipment.tracking_number.as_str().into(),
        shipment.correlation.as_str().into(),
        shipment.due_at.map(Timestamp::as_micros).into(),
        shipment.version.into(),
        shipment.created_at.as_micros().into(),
        shipment.updated_at.as_micros().into(),
    ];
    INSERT.run(tx, values).await
}

const INSERT_REFUSED: &str = "INSERT INTO shipments \
    (id, order_id, user_id, schedule_key, status, refusal, version, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, 'refused', $5, 1, $6, $7) ON CONFLICT DO NOTHING";

/// Writes the carrier's refusal; false as for [`insert`].
pub(crate) async fn insert_refused(tx: &Tx, attempt: &RefusedBooking) -> Result<bool, DbErr> {
    let values = [
        attempt.id.uuid().into(),
        attempt.order_id.uuid().into(),
        attempt.user_id.uuid().into(),
        attempt.key.as_str().into(),
        attempt.message.as_str().into(),
        attempt.at.as_micros().into(),
        attempt.at.as_micros().into(),
    ];
    Ok(execute(tx, INSERT_REFUSED, values).await? == 1)
}

const INSERT_VOID: &str = "INSERT INTO shipments \
    (id, order_id, status, version, created_at, updated_at) \
    VALUES ($1, $2, 'void', 1, $3, $4) ON CONFLICT DO NOTHING";

/// Writes the tombstone of an order; false where the order has something already.
pub(crate) async fn insert_void(
    tx: &Tx,
    id: ShipmentId,
    order: OrderId,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let values = [
        id.uuid().into(),
        order.uuid().into(),
        at.as_micros().into(),
        at.as_micros().into(),
    ];
    Ok(execute(tx, INSERT_VOID, values).await? == 1)
}

const ADVANCE: &str = "UPDATE shipments SET status = $1, due_at = $2, dispatched_at = $3, \
    delivered_at = $4, version = $5, updated_at = $6 WHERE id = $7 AND status = $8";

/// Writes a shipment that was moved on from `from`; false where somebody else
/// moved it first.
pub(crate) async fn advance(
    tx: &Tx,
    moved: &Shipment,
    from: ShipmentStatus,
) -> Result<bool, DbErr> {
    let values = [
        moved.status.as_str().into(),
        moved.due_at.map(Timestamp::as_micros).into(),
        moved.dispatched_at.map(Timestamp::as_micros).into(),
        moved.delivered_at.map(Timestamp::as_micros).into(),
        moved.version.into(),
        moved.updated_at.as_micros().into(),
        moved.id.uuid().into(),
        from.as_str().into(),
    ];
    Ok(execute(tx, ADVANCE, values).await? == 1)
}

/// The shipment with this id.
pub(crate) async fn by_id(tx: &Tx, id: ShipmentId) -> Result<Option<Shipment>, DbErr> {
    let row = Entity::find_by_id(id.uuid()).one(tx).await?;
    Ok(booked(row.into_iter().collect())?.pop())
}

/// What the command with this key came to.
pub(crate) async fn by_key(tx: &Tx, key: &str) -> Result<Option<Slot>, DbErr> {
    let row = Entity::find()
        .filter(Column::ScheduleKey.eq(key))
        .one(tx)
        .await?;
    row.map(slot).transpose()
}

/// What the order has.
pub(crate) async fn of_order(tx: &Tx, order: OrderId) -> Result<Option<Slot>, DbErr> {
    let row = Entity::find()
        .filter(Column::OrderId.eq(order.uuid()))
        .one(tx)
        .await?;
    row.map(slot).transpose()
}

/// The shipments of these orders.
pub(crate) async fn of_orders(tx: &Tx, orders: &[OrderId]) -> Result<Vec<Shipment>, DbErr> {
    let orders = orders.iter().map(|order| order.uuid());
    let rows = Entity::find()
        .filter(Column::OrderId.is_in(orders))
        .all(tx)
        .await?;
    booked(rows)
}

/// Which shipments to list.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filter {
    /// Only this user's.
    pub(crate) owner: Option<UserId>,
    /// Only this order's.
    pub(crate) order: Option<OrderId>,
    /// Only those made before this one.
    pub(crate) before: Option<ShipmentId>,
}

/// The newest shipments.
pub(crate) async fn list(tx: &Tx, filter: Filter, limit: u64) -> Result<Vec<Shipment>, DbErr> {
    let mut query = Entity::find().filter(Column::Status.is_not_in([VOID, REFUSED]));
    if let Some(owner) = filter.owner {
        query = query.filter(Column::UserId.eq(owner.uuid()));
    }
    if let Some(order) = filter.order {
        query = query.filter(Column::OrderId.eq(order.uuid()));
    }
    if let Some(before) = filter.before {
        query = query.filter(Column::Id.lt(before.uuid()));
    }
    let rows = query.order_by_desc(Column::Id).limit(limit).all(tx).await?;
    booked(rows)
}

/// A row on a walk over all of them, as far as it can be read.
pub(crate) struct Walked {
    pub(crate) order: OrderId,
    pub(crate) id: ShipmentId,
    pub(crate) slot: Result<Slot, DbErr>,
}

/// The next rows behind `after` in the order of their orders, so that what
/// belongs to one order comes together.
pub(crate) async fn after(
    tx: &Tx,
    after: Option<(OrderId, ShipmentId)>,
    limit: u64,
) -> Result<Vec<Walked>, DbErr> {
    let mut query = Entity::find();
    if let Some((order, id)) = after {
        let place = Expr::tuple([Expr::col(Column::OrderId), Expr::col(Column::Id)]);
        let behind = Expr::tuple([order.uuid().into(), id.uuid().into()]);
        query = query.filter(place.gt(behind));
    }
    let query = query.order_by_asc(Column::OrderId).order_by_asc(Column::Id);
    let rows = query.limit(limit).all(tx).await?;
    let walked = rows.into_iter().map(|row| Walked {
        order: OrderId::from_uuid(row.order_id),
        id: ShipmentId::from_uuid(row.id),
        slot: slot(row),
    });
    Ok(walked.collect())
}

fn booked(rows: Vec<Model>) -> Result<Vec<Shipment>, DbErr> {
    let slots = rows.into_iter().map(slot);
    slots
        .filter_map(|slot| match slot {
            Ok(Slot::Booked(shipment)) => Some(Ok(*shipment)),
            Ok(Slot::Void | Slot::Refused(_)) => None,
            Err(error) => Some(Err(error)),
        })
        .collect()
}

fn slot(row: Model) -> Result<Slot, DbErr> {
    let (id, order_id) = (
        ShipmentId::from_uuid(row.id),
        OrderId::from_uuid(row.order_id),
    );
    if row.status == VOID {
        return Ok(Slot::Void);
    }
    let user_id = UserId::from_uuid(required(row.user_id, "user_id")?);
    let key = required(row.schedule_key, "schedule_key")?;
    if row.status == REFUSED {
        return Ok(Slot::Refused(RefusedBooking {
            id,
            order_id,
            user_id,
            key,
            message: row.refusal.unwrap_or_default(),
            at: Timestamp::from_micros(row.created_at),
        }));
    }
    Ok(Slot::Booked(Box::new(Shipment {
        id,
        order_id,
        user_id,
        key,
        status: row.status.parse().map_err(corrupt)?,
        carrier: required(row.carrier, "carrier")?,
        tracking_number: required(row.tracking_number, "tracking_number")?,
        correlation: required(row.correlation_id, "correlation_id")?
            .parse()
            .map_err(corrupt)?,
        due_at: row.due_at.map(Timestamp::from_micros),
        dispatched_at: row.dispatched_at.map(Timestamp::from_micros),
        delivered_at: row.delivered_at.map(Timestamp::from_micros),
        version: row.version,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })))
}

/// The value of a column that only rows without a shipment leave empty.
fn required<T>(value: Option<T>, column: &str) -> Result<T, DbErr> {
    value.ok_or_else(|| corrupt(format_args!("shipments.{column} is empty")))
}
