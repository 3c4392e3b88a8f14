//! Giving money back, whole or in part.

use cleave_vocabulary::{CorrelationId, Currency, Money, PaymentId, Timestamp, TransactionId};

use super::{PaymentStatus, RefundStatus};

/// One movement of money back to the payer.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    pub(crate) id: TransactionId,
    pub(crate) payment_id: PaymentId,
    /// The key of the command that asked for it; the gateway is given the same.
    pub(crate) key: String,
    /// What the command said, where one key might come with other words.
    pub(crate) fingerprint: String,
    pub(crate) amount: Money,
    pub(crate) reason: String,
    pub(crate) status: RefundStatus,
    /// How the gateway knows it, once done.
    pub(crate) gateway_reference: Option<String>,
    /// Whoever finishes a refund that was left behind does so in this name.
    pub(crate) correlation: CorrelationId,
    pub(crate) created_at: Timestamp,
}

/// Why money is not given back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefundRefusal {
    #[error("There is no such payment.")]
    NoSuchPayment,
    #[error("The charge has {} minor units of {} left to give back.", left.amount, left.currency)]
    ExceedsCharge { left: Money },
    #[error("The payment is {}: what became of its charge is not known yet.", .0.as_str())]
    NotSettled(PaymentStatus),
    #[error("must be {0}, the currency of the payment")]
    WrongCurrency(Currency),
    #[error("must be more than zero")]
    NotPositive,
    #[error("This `Idempotency-Key` was used with another body. Use a new key for a new request.")]
    KeyReused,
    #[error("The gateway does not give this money back.")]
    GatewayRefused,
}
