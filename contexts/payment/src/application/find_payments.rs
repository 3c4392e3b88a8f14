//! Payments as they are read: one, a page of them, and what other contexts ask.

use cleave_payment_contract::port::{PaymentStanding, Statement, Statements};
use cleave_store::{Tx, Unit};
use cleave_vocabulary::{Money, OrderId, PaymentId, UserId};
use sea_orm::DbErr;

use super::Payments;
use crate::domain::{Payment, Refund, Slot};
use crate::persistence::{payments, refunds};

/// Orders looked up with one statement.
const CHUNK: usize = 500;

/// A payment with everything that moved.
#[derive(Debug, Clone)]
pub(crate) struct PaymentDetails {
    pub(crate) payment: Payment,
    /// Oldest first.
    pub(crate) refunds: Vec<Refund>,
}

/// Which payments are wanted; see [`payments::Filter`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) owner: Option<UserId>,
    pub(crate) order: Option<OrderId>,
    pub(crate) before: Option<PaymentId>,
    pub(crate) limit: u64,
}

impl Payments {
    /// One payment.
    pub(crate) async fn find(&self, id: PaymentId) -> Unit<Option<PaymentDetails>> {
        self.store
            .read(async move |tx| {
                let found = payments::by_id(tx, id).await?;
                Ok(details(tx, found.into_iter().collect()).await?.pop())
            })
            .await
    }

    /// The newest payments that are wanted.
    pub(crate) async fn list(&self, wanted: Wanted) -> Unit<Vec<PaymentDetails>> {
        let filter = payments::Filter {
            owner: wanted.owner,
            order: wanted.order,
            before: wanted.before,
        };
        self.store
            .read(async move |tx| {
                let found = payments::list(tx, filter, wanted.limit).await?;
                Ok(details(tx, found).await?)
            })
            .await
    }

    /// How the payment of an order stands.
    pub(crate) async fn standing(&self, order: OrderId) -> Unit<PaymentStanding> {
        self.store
            .read(async move |tx| {
                let payment = match payments::of_order(tx, order).await? {
                    Some(Slot::Paid(payment)) => Some(payment),
                    Some(Slot::Void) | None => None,
                };
                Ok(PaymentStanding {
                    payment_id: payment.as_ref().map(|payment| payment.id),
                    status: payment.map(|payment| payment.status.as_str().to_owned()),
                })
            })
            .await
    }

    /// What was charged and refunded for these orders, over one snapshot.
    pub(crate) async fn statements_of(&self, orders: Vec<OrderId>) -> Unit<Statements> {
        self.store
            .read(async move |tx| {
                let mut items = Vec::with_capacity(orders.len());
                for chunk in orders.chunks(CHUNK) {
                    items.extend(payments::of_orders(tx, chunk).await?.iter().map(statement));
                }
                Ok(Statements { items })
            })
            .await
    }
}

fn statement(payment: &Payment) -> Statement {
    let taken = payment.status.took_money();
    Statement {
        order_id: payment.order_id,
        completed_charges: u32::from(taken),
        charged: if taken {
            payment.amount
        } else {
            Money::zero(payment.amount.currency)
        },
        refunded: payment.refunded,
    }
}

/// Brings each payment together with its refunds, in two statements for all of them.
pub(super) async fn details(tx: &Tx, found: Vec<Payment>) -> Result<Vec<PaymentDetails>, DbErr> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<PaymentId> = found.iter().map(|payment| payment.id).collect();
    let refunds = refunds::of_payments(tx, &ids).await?;
    let of = |payment: &Payment| {
        let its = refunds
            .iter()
            .filter(|refund| refund.payment_id == payment.id);
        its.cloned().collect()
    };
    let with_refunds = found.into_iter().map(|payment| PaymentDetails {
        refunds: of(&payment),
        payment,
    });
    Ok(with_refunds.collect())
}
