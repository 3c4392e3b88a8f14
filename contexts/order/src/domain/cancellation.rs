//! Why an order was called off.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancellationReason {
    /// Stock did not suffice.
    InsufficientInventory,
    /// The payment method was declined.
    PaymentDeclined,
    /// The carrier does not take it.
    ShippingRefused,
    /// Its buyer changed their mind.
    CancelledByCustomer,
    /// Someone who operates the shop called it off.
    CancelledByOperator,
    /// Its stock was not held for as long as it took.
    Expired,
}

impl CancellationReason {
    const ALL: [Self; 6] = [
        Self::InsufficientInventory,
        Self::PaymentDeclined,
        Self::ShippingRefused,
        Self::CancelledByCustomer,
        Self::CancelledByOperator,
        Self::Expired,
    ];

    /// As databases and JSON write it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientInventory => "insufficient_inventory",
            Self::PaymentDeclined => "payment_declined",
            Self::ShippingRefused => "shipping_refused",
            Self::CancelledByCustomer => "cancelled_by_customer",
            Self::CancelledByOperator => "cancelled_by_operator",
            Self::Expired => "expired",
        }
    }
}

impl FromStr for CancellationReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a reason for which orders are cancelled"))
    }
}

/// Why an order was called off, for programs and in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct Cancellation {
    /// For programs.
    pub(crate) reason: CancellationReason,
    /// In words, where there is more to say.
    #[schema(required)]
    pub(crate) detail: Option<String>,
}

impl Cancellation {
    /// For `reason`, with nothing to add.
    pub(crate) const fn because(reason: CancellationReason) -> Self {
        Self {
            reason,
            detail: None,
        }
    }

    /// The same, in more words.
    pub(crate) fn with(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_written_alike_everywhere() {
        for reason in CancellationReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            let json = serde_json::to_value(reason).expect("json");
            assert_eq!(json, reason.as_str());
        }
    }
}
