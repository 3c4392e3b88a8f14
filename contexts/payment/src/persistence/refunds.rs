//! The table `refunds`: money on its way back. The unique key makes a repeated
//! command find the first one.

use cleave_store::Tx;
use cleave_store::sql::execute;
use cleave_vocabulary::{Currency, Money, PaymentId, Timestamp, TransactionId};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

use super::corrupt;
use crate::domain::{Refund, RefundStatus};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "refunds")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    payment_id: Uuid,
    key: String,
    fingerprint: String,
    amount: i64,
    currency: String,
    reason: String,
    status: String,
    gateway_reference: Option<String>,
    correlation_id: String,
    created_at: i64,
    updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

const INSERT: &str = "INSERT INTO refunds \
    (id, payment_id, key, fingerprint, amount, currency, reason, status, correlation_id, \
    created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";

/// Writes a new refund; false where its key is taken.
pub(crate) async fn insert(tx: &Tx, refund: &Refund) -> Result<bool, DbErr> {
    let values = [
        refund.id.uuid().into(),
        refund.payment_id.uuid().into(),
        refund.key.as_str().into(),
        refund.fingerprint.as_str().into(),
        refund.amount.amount.into(),
        refund.amount.currency.code().into(),
        refund.reason.as_str().into(),
        refund.status.as_str().into(),
        refund.correlation.as_str().into(),
        refund.created_at.as_micros().into(),
        refund.created_at.as_micros().into(),
    ];
    Ok(execute(tx, INSERT, values).await? == 1)
}

const END: &str = "UPDATE refunds SET status = $1, gateway_reference = $2, updated_at = $3 \
    WHERE id = $4 AND status = 'pending'";

/// Ends a refund one way or the other; false where it had ended before.
pub(crate) async fn end(
    tx: &Tx,
    id: TransactionId,
    status: RefundStatus,
    reference: Option<&str>,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let values = [
        status.as_str().into(),
        reference.into(),
        at.as_micros().into(),
        id.uuid().into(),
    ];
    Ok(execute(tx, END, values).await? == 1)
}

/// The refund of the command with this key.
pub(crate) async fn by_key(tx: &Tx, key: &str) -> Result<Option<Refund>, DbErr> {
    let row = Entity::find().filter(Column::Key.eq(key)).one(tx).await?;
    row.map(refund).transpose()
}

/// A refund of this payment that has not ended.
pub(crate) async fn pending_of(tx: &Tx, payment: PaymentId) -> Result<Option<Refund>, DbErr> {
    let row = Entity::find()
        .filter(Column::PaymentId.eq(payment.uuid()))
        .filter(Column::Status.eq(RefundStatus::Pending.as_str()))
        .one(tx)
        .await?;
    row.map(refund).transpose()
}

/// The refunds of these payments, oldest first.
pub(crate) async fn of_payments(tx: &Tx, payments: &[PaymentId]) -> Result<Vec<Refund>, DbErr> {
    let rows = Entity::find()
        .filter(Column::PaymentId.is_in(payments.iter().map(|payment| payment.uuid())))
        .order_by_asc(Column::Id)
        .all(tx)
        .await?;
    rows.into_iter().map(refund).collect()
}

/// Refunds that have been under way since before `moment`, oldest first.
pub(crate) async fn pending_since(
    tx: &Tx,
    moment: Timestamp,
    limit: u64,
) -> Result<Vec<Refund>, DbErr> {
    let rows = Entity::find()
        // Written out, so that the partial index over this very text serves it.
        .filter(Expr::cust("status = 'pending'"))
        .filter(Column::CreatedAt.lt(moment.as_micros()))
        .order_by_asc(Column::CreatedAt)
        .limit(limit)
        .all(tx)
        .await?;
    rows.into_iter().map(refund).collect()
}

fn refund(row: Model) -> Result<Refund, DbErr> {
    let currency: Currency = row.currency.parse().map_err(corrupt)?;
    Ok(Refund {
        id: TransactionId::from_uuid(row.id),
        payment_id: PaymentId::from_uuid(row.payment_id),
        key: row.key,
        fingerprint: row.fingerprint,
        amount: Money::new(row.amount, currency),
        reason: row.reason,
        status: row.status.parse().map_err(corrupt)?,
        gateway_reference: row.gateway_reference,
        correlation: row.correlation_id.parse().map_err(corrupt)?,
        created_at: Timestamp::from_micros(row.created_at),
    })
}
