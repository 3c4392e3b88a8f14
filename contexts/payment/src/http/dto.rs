//! Payments as clients see them.

use cleave_vocabulary::{Money, OrderId, PaymentId, Timestamp, TransactionId, UserId};
use cleave_web::rules;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::application::PaymentDetails;
use crate::domain::{
    ChargeFailure, FailureCode, Payment, PaymentStatus, Refund, TransactionStatus,
};

/// The payment of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
pub(crate) struct PaymentBody {
    pub(crate) id: PaymentId,
    order_id: OrderId,
    user_id: UserId,
    /// What the order costs.
    amount: Money,
    /// How much of it was given back.
    refunded: Money,
    status: PaymentStatus,
    /// The payment method.
    #[schema(example = "pm_card_visa")]
    method: String,
    /// Why it failed; null unless it did.
    #[schema(required)]
    failure: Option<FailureBody>,
    /// Every movement of money, oldest first.
    transactions: Vec<TransactionBody>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Why a payment failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentFailure)]
pub(crate) struct FailureBody {
    code: FailureCode,
    /// For a person.
    message: String,
}

/// Which way money moved.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TransactionKind {
    /// From the payer.
    Charge,
    /// Back to the payer.
    Refund,
}

/// One movement of money.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transaction)]
pub(crate) struct TransactionBody {
    id: TransactionId,
    kind: TransactionKind,
    amount: Money,
    status: TransactionStatus,
    /// How the gateway knows it; null until it does.
    #[schema(required)]
    gateway_reference: Option<String>,
    /// Why money was given back; null for a charge.
    #[schema(required)]
    reason: Option<String>,
    created_at: Timestamp,
}

/// Gives money back.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRefund)]
pub(crate) struct RefundBody {
    /// How much; all that is left where it is absent.
    #[serde(default, deserialize_with = "Money::exact_option")]
    pub(crate) amount: Option<Money>,
    /// Why, for the books.
    #[serde(deserialize_with = "rules::trimmed")]
    #[validate(length(min = 1, max = 500), custom(function = rules::one_line))]
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
}

/// Which payments to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only the payment of this order.
    #[param(value_type = Option<String>)]
    pub(crate) order_id: Option<OrderId>,
}

impl From<PaymentDetails> for PaymentBody {
    fn from(details: PaymentDetails) -> Self {
        let PaymentDetails { payment, refunds } = details;
        let mut transactions = vec![TransactionBody::charge(&payment)];
        transactions.extend(refunds.into_iter().map(TransactionBody::from));
        Self {
            id: payment.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: payment.amount,
            refunded: payment.refunded,
            status: payment.status,
            method: payment.method,
            failure: payment.failure.map(FailureBody::from),
            transactions,
            version: payment.version,
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }
}

impl From<ChargeFailure> for FailureBody {
    fn from(failure: ChargeFailure) -> Self {
        Self {
            code: failure.code,
            message: failure.message,
        }
    }
}

impl TransactionBody {
    fn charge(payment: &Payment) -> Self {
        Self {
            id: payment.transaction_id,
            kind: TransactionKind::Charge,
            amount: payment.amount,
            status: payment.status.of_charge(),
            gateway_reference: payment.gateway_reference.clone(),
            reason: None,
            created_at: payment.created_at,
        }
    }
}

impl From<Refund> for TransactionBody {
    fn from(refund: Refund) -> Self {
        Self {
            id: refund.id,
            kind: TransactionKind::Refund,
            amount: refund.amount,
            status: refund.status.into(),
            gateway_reference: refund.gateway_reference,
            reason: Some(refund.reason),
            created_at: refund.created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_no_member_that_is_not_known_and_may_be_left_out() {
        let read = |amount: &str| {
            let body = format!(r#"{{"reason": "damaged"{amount}}}"#);
            let read = serde_json::from_str::<RefundBody>(&body);
            read.map(|body| body.amount.map(|money| money.amount))
        };
        let more = r#", "amount": {"amount": 5, "currency": "GBP", "scale": 2}"#;
        let refused = read(more).expect_err("refused").to_string();
        assert!(refused.starts_with("unknown field `scale`"), "{refused}");
        let some = r#", "amount": {"amount": 5, "currency": "GBP"}"#;
        for (amount, expected) in [(some, Some(5)), (r#", "amount": null"#, None), ("", None)] {
            assert_eq!(read(amount).expect("a refund"), expected);
        }
    }
}
