//! What happened to money. Events only grow by optional
//! fields; another meaning is a new version.

use cleave_vocabulary::{Event, Money, OrderId, PaymentId, TransactionId, UserId};
use serde::{Deserialize, Serialize};

/// The money for an order was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentCompleted {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// Who paid.
    pub user_id: UserId,
    /// The charge.
    pub transaction_id: TransactionId,
    /// How much.
    pub amount: Money,
}

impl Event for PaymentCompleted {
    const TYPE: &'static str = "payment.completed";

    fn subject(&self) -> String {
        self.payment_id.to_string()
    }
}

/// The money for an order was not taken, for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentFailed {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// Who was to pay.
    pub user_id: UserId,
    /// The refusal: `payment_declined`.
    pub code: String,
    /// What the gateway said, for people.
    pub message: String,
}

impl Event for PaymentFailed {
    const TYPE: &'static str = "payment.failed";

    fn subject(&self) -> String {
        self.payment_id.to_string()
    }
}

/// Money was given back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentRefunded {
    /// The payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// Who was paid back.
    pub user_id: UserId,
    /// The refund.
    pub transaction_id: TransactionId,
    /// How much, this time.
    pub amount: Money,
    /// How much in all.
    pub refunded: Money,
    /// The payment's status now: `partially_refunded` or `refunded`.
    pub status: String,
    /// Why.
    pub reason: String,
}

impl Event for PaymentRefunded {
    const TYPE: &'static str = "payment.refunded";

    fn subject(&self) -> String {
        self.payment_id.to_string()
    }
}
