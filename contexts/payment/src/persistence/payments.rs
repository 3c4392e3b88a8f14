//! The table `payments`: a row for each order, with its payment and the one
//! charge of it, or the tombstone of a refund that came first. That the charge
//! has no row of its own saves a third of what an order costs here.

use std::sync::LazyLock;

use cleave_store::sql::execute;
use cleave_store::{Change, Tx};
use cleave_vocabulary::{Currency, Money, OrderId, PaymentId, Timestamp, TransactionId, UserId};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

use super::corrupt;
use crate::domain::{ChargeFailure, FailureCode, Payment, PaymentStatus, Slot};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payments")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    order_id: Uuid,
    user_id: Option<Uuid>,
    status: String,
    charge_key: Option<String>,
    transaction_id: Option<Uuid>,
    method: Option<String>,
    charge_amount: Option<i64>,
    currency: Option<String>,
    refunded_amount: i64,
    refunding_amount: i64,
    gateway_reference: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The status of a tombstone, which is not one of a payment.
const VOID: &str = "void";

static INSERT: LazyLock<Change> = LazyLock::new(|| {
    let columns = "id, order_id, user_id, status, charge_key, transaction_id, method, \
        charge_amount, currency, version, created_at, updated_at";
    Change::insert("payments", columns, "ON CONFLICT DO NOTHING")
});

/// Writes a new payment; false where its order has one (or a tombstone), or its
/// key belongs to another.
pub(crate) async fn insert(tx: &Tx, payment: &Payment) -> Result<bool, DbErr> {
    let values = [
        payment.id.uuid().into(),
        payment.order_id.uuid().into(),
        payment.user_id.uuid().into(),
        payment.status.as_str().into(),
        payment.charge_key.as_str().into(),
        payment.transaction_id.uuid().into(),
        payment.method.as_str().into(),
        payment.amount.amount.into(),
        payment.amount.currency.code().into(),
        payment.version.into(),
        payment.created_at.as_micros().into(),
        payment.updated_at.as_micros().into(),
    ];
    INSERT.run(tx, values).await
}

const INSERT_VOID: &str = "INSERT INTO payments \
    (id, order_id, status, version, created_at, updated_at) \
    VALUES ($1, $2, 'void', 1, $3, $4) ON CONFLICT DO NOTHING";

/// Writes the tombstone of an order; false where the order has a row already.
pub(crate) async fn insert_void(
    tx: &Tx,
    id: PaymentId,
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

const MOVE: &str = "UPDATE payments SET status = $1, updated_at = $2, version = version + 1 \
    WHERE id = $3 AND status = $4";

/// Moves a payment that nothing is known of between the ways of not knowing;
/// false where it was not in `from`.
pub(crate) async fn shift(
    tx: &Tx,
    id: PaymentId,
    from: PaymentStatus,
    to: PaymentStatus,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let values = [
        to.as_str().into(),
        at.as_micros().into(),
        id.uuid().into(),
        from.as_str().into(),
    ];
    Ok(execute(tx, MOVE, values).await? == 1)
}

static SETTLE: LazyLock<Change> =
    LazyLock::new(|| settlement("(status = 'pending' OR status = 'queued' OR status = 'unknown')"));

/// Records the gateway's word on a charge; false where that was done before.
pub(crate) async fn settle(tx: &Tx, settled: &Payment) -> Result<bool, DbErr> {
    write_settlement(tx, &SETTLE, settled).await
}

static SETTLE_QUEUED: LazyLock<Change> = LazyLock::new(|| settlement("status = 'queued'"));

fn settlement(guard: &str) -> Change {
    let set = "status = $1, gateway_reference = $2, failure_code = $3, failure_message = $4, \
        updated_at = $5, version = version + 1";
    Change::update("payments", 6, set, ("id", 6), guard)
}

/// Calls off a charge that nobody is asking the gateway for; false where
/// somebody has begun to.
pub(crate) async fn settle_queued(tx: &Tx, voided: &Payment) -> Result<bool, DbErr> {
    write_settlement(tx, &SETTLE_QUEUED, voided).await
}

async fn write_settlement(
    tx: &Tx,
    update: &'static Change,
    settled: &Payment,
) -> Result<bool, DbErr> {
    let failure = settled.failure.as_ref();
    let values = [
        settled.status.as_str().into(),
        settled.gateway_reference.clone().into(),
        failure.map(|failure| failure.code.as_str()).into(),
        failure.map(|failure| failure.message.clone()).into(),
        settled.updated_at.as_micros().into(),
        settled.id.uuid().into(),
    ];
    update.run(tx, values).await
}

const SET_ASIDE: &str = "UPDATE payments SET refunding_amount = refunding_amount + $1, \
    updated_at = $2, version = version + 1 \
    WHERE id = $3 AND status IN ('completed', 'partially_refunded') \
    AND charge_amount - refunded_amount - refunding_amount >= $4";

/// Sets money aside for a refund; false where so much is not left.
pub(crate) async fn set_aside(
    tx: &Tx,
    id: PaymentId,
    amount: i64,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let values = [
        amount.into(),
        at.as_micros().into(),
        id.uuid().into(),
        amount.into(),
    ];
    Ok(execute(tx, SET_ASIDE, values).await? == 1)
}

const GIVE_BACK: &str = "UPDATE payments SET refunded_amount = refunded_amount + $1, \
    refunding_amount = refunding_amount - $2, \
    status = CASE WHEN refunded_amount + $3 = charge_amount THEN 'refunded' \
    ELSE 'partially_refunded' END, \
    updated_at = $4, version = version + 1 WHERE id = $5";

/// Turns what was set aside for a refund into what was given back.
pub(crate) async fn give_back(
    tx: &Tx,
    id: PaymentId,
    amount: i64,
    at: Timestamp,
) -> Result<(), DbErr> {
    let values = [
        amount.into(),
        amount.into(),
        amount.into(),
        at.as_micros().into(),
        id.uuid().into(),
    ];
    execute(tx, GIVE_BACK, values).await.map(drop)
}

const PUT_BACK: &str = "UPDATE payments SET refunding_amount = refunding_amount - $1, \
    updated_at = $2, version = version + 1 WHERE id = $3";

/// Undoes [`set_aside`], for a refund that the gateway would not give.
pub(crate) async fn put_back(
    tx: &Tx,
    id: PaymentId,
    amount: i64,
    at: Timestamp,
) -> Result<(), DbErr> {
    let values = [amount.into(), at.as_micros().into(), id.uuid().into()];
    execute(tx, PUT_BACK, values).await.map(drop)
}

/// The payment with this id.
pub(crate) async fn by_id(tx: &Tx, id: PaymentId) -> Result<Option<Payment>, DbErr> {
    let row = Entity::find_by_id(id.uuid()).one(tx).await?;
    payment(row)
}

/// The payment that the command with this key charges.
pub(crate) async fn by_charge_key(tx: &Tx, key: &str) -> Result<Option<Payment>, DbErr> {
    let row = Entity::find()
        .filter(Column::ChargeKey.eq(key))
        .one(tx)
        .await?;
    payment(row)
}

/// What the order has.
pub(crate) async fn of_order(tx: &Tx, order: OrderId) -> Result<Option<Slot>, DbErr> {
    let row = Entity::find()
        .filter(Column::OrderId.eq(order.uuid()))
        .one(tx)
        .await?;
    row.map(slot).transpose()
}

/// The payments of these orders.
pub(crate) async fn of_orders(tx: &Tx, orders: &[OrderId]) -> Result<Vec<Payment>, DbErr> {
    let orders = orders.iter().map(|order| order.uuid());
    let rows = Entity::find()
        .filter(Column::OrderId.is_in(orders))
        .filter(Column::Status.ne(VOID))
        .all(tx)
        .await?;
    payments(rows)
}

/// The payments with these charge keys.
pub(crate) async fn with_keys(tx: &Tx, keys: &[String]) -> Result<Vec<Payment>, DbErr> {
    let rows = Entity::find()
        .filter(Column::ChargeKey.is_in(keys.iter().map(String::as_str)))
        .all(tx)
        .await?;
    payments(rows)
}

/// Which payments to list.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filter {
    /// Only this user's.
    pub(crate) owner: Option<UserId>,
    /// Only this order's.
    pub(crate) order: Option<OrderId>,
    /// Only those made before this one.
    pub(crate) before: Option<PaymentId>,
}

/// The newest payments.
pub(crate) async fn list(tx: &Tx, filter: Filter, limit: u64) -> Result<Vec<Payment>, DbErr> {
    let mut query = Entity::find().filter(Column::Status.ne(VOID));
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
    payments(rows)
}

/// The next payments in the order of their ids, for a walk over all of them.
pub(crate) async fn after(
    tx: &Tx,
    after: Option<PaymentId>,
    limit: u64,
) -> Result<Vec<Payment>, DbErr> {
    let mut query = Entity::find().filter(Column::Status.ne(VOID));
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.uuid()));
    }
    let rows = query.order_by_asc(Column::Id).limit(limit).all(tx).await?;
    payments(rows)
}

fn payments(rows: Vec<Model>) -> Result<Vec<Payment>, DbErr> {
    let slots = rows.into_iter().map(slot);
    slots
        .filter_map(|slot| match slot {
            Ok(Slot::Void) => None,
            Ok(Slot::Paid(payment)) => Some(Ok(*payment)),
            Err(error) => Some(Err(error)),
        })
        .collect()
}

fn payment(row: Option<Model>) -> Result<Option<Payment>, DbErr> {
    Ok(payments(row.into_iter().collect())?.pop())
}

fn slot(row: Model) -> Result<Slot, DbErr> {
    if row.status == VOID {
        return Ok(Slot::Void);
    }
    let currency: Currency = required(row.currency, "currency")?
        .parse()
        .map_err(corrupt)?;
    let money = |amount| Money::new(amount, currency);
    Ok(Slot::Paid(Box::new(Payment {
        id: PaymentId::from_uuid(row.id),
        order_id: OrderId::from_uuid(row.order_id),
        user_id: UserId::from_uuid(required(row.user_id, "user_id")?),
        status: row.status.parse().map_err(corrupt)?,
        charge_key: required(row.charge_key, "charge_key")?,
        transaction_id: TransactionId::from_uuid(required(row.transaction_id, "transaction_id")?),
        method: required(row.method, "method")?,
        amount: money(required(row.charge_amount, "charge_amount")?),
        refunded: money(row.refunded_amount),
        refunding: money(row.refunding_amount),
        gateway_reference: row.gateway_reference,
        failure: failure(row.failure_code, row.failure_message)?,
        version: row.version,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })))
}

fn failure(code: Option<String>, message: Option<String>) -> Result<Option<ChargeFailure>, DbErr> {
    let Some(code) = code else { return Ok(None) };
    Ok(Some(ChargeFailure {
        code: FailureCode::parse(&code).map_err(corrupt)?,
        message: message.unwrap_or_default(),
    }))
}

/// The value of a column that only a tombstone leaves empty.
fn required<T>(value: Option<T>, column: &str) -> Result<T, DbErr> {
    value.ok_or_else(|| corrupt(format_args!("payments.{column} is empty")))
}
