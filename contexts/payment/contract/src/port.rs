//! What other contexts may ask of payments.

use cleave_vocabulary::{KeyedOutcome, Money, OrderId, OutcomeOf, PaymentId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Takes the money for an order, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChargeOrder {
    /// Idempotency key: safe to repeat with the same.
    pub key: String,
    /// For which order.
    pub order_id: OrderId,
    /// Who pays.
    pub user_id: UserId,
    /// Exactly how much.
    pub amount: Money,
    /// With what: `pm_…`.
    pub payment_method: String,
}

/// The money is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Charged {
    /// The payment.
    pub payment_id: PaymentId,
}

/// Gives back whatever was taken for an order and not given back yet. Where nothing was, a tombstone keeps a late charge from taking effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RefundOrder {
    /// Idempotency key: safe to repeat with the same.
    pub key: String,
    /// For which order.
    pub order_id: OrderId,
    /// Why.
    pub reason: String,
}

/// Nothing is kept for the order any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Refunded {
    /// The payment, if there ever was one.
    pub payment_id: Option<PaymentId>,
    /// What was given back by this command, if anything.
    pub amount: Option<Money>,
}

/// Asks whether a payment method can be charged at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SupportsMethod {
    /// `pm_…`.
    pub payment_method: String,
}

/// Whether it can.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Supported {
    /// Whether it can.
    pub supported: bool,
}

/// Asks how the payment of an order stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GetPaymentStatus {
    /// Which order.
    pub order_id: OrderId,
}

/// How the payment of an order stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentStanding {
    /// The payment, if there is one.
    pub payment_id: Option<PaymentId>,
    /// Its status, as the public API names it.
    pub status: Option<String>,
}

/// Asks what was charged and refunded for orders (for the audit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GetStatements {
    /// Which orders.
    pub order_ids: Vec<OrderId>,
}

/// The statements; orders without a payment are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Statements {
    /// One for each order with a payment.
    pub items: Vec<Statement>,
}

/// The money of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// Which order.
    pub order_id: OrderId,
    /// How many charges were completed: one, if all is well.
    pub completed_charges: u32,
    /// Their sum.
    pub charged: Money,
    /// The sum of completed refunds.
    pub refunded: Money,
}

/// The refusal of [`PaymentPort::charge`] when the method is declined.
pub const PAYMENT_DECLINED: &str = "payment_declined";
/// The refusal of [`PaymentPort::charge`] after a refund of the same order.
pub const ALREADY_REFUNDED: &str = "already_refunded";

cleave_seam::port! {
    /// Payments, as other contexts use them.
    pub port PaymentPort for "payment" {
        /// Whether a payment method can be charged at all.
        query supports(SupportsMethod) -> Supported;
        /// Takes the money for an order.
        command charge(ChargeOrder) -> Charged;
        /// What became of a charge, by the key of its command: asks the gateway
        /// where that is not known here, and records what it says.
        command resolve_charge(OutcomeOf) -> KeyedOutcome<Charged>;
        /// Gives back whatever was taken for an order.
        command refund(RefundOrder) -> Refunded;
        /// How the payment of an order stands.
        query status(GetPaymentStatus) -> PaymentStanding;
        /// What was charged and refunded for orders.
        query statements(GetStatements) -> Statements;
    }
}
