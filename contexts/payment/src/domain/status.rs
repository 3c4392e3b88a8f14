//! Where payments and refunds stand, under the names of the public API.

use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PaymentStatus {
    /// Somebody is asking the gateway, or was when the program stopped.
    Pending,
    /// The gateway is away; nobody is asking it, and it has taken nothing.
    Queued,
    /// The gateway was asked and did not answer: it may have taken the money.
    Unknown,
    /// The money is taken.
    Completed,
    /// The money was not taken, and never will be.
    Failed,
    /// Some of the money was given back.
    PartiallyRefunded,
    /// All of the money was given back.
    Refunded,
}

impl PaymentStatus {
    /// The name in the public API and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "queued",
            Self::Unknown => "unknown",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
        }
    }

    /// Whether the gateway has given its answer to the charge.
    pub(crate) const fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Queued | Self::Unknown)
    }

    /// Whether the charge took the money, whatever was given back since.
    pub(crate) const fn took_money(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::PartiallyRefunded | Self::Refunded
        )
    }

    /// The status of an unsettled payment whose charge is asked for again:
    /// queued, nobody else is asking; otherwise somebody may be, and from then
    /// on only the gateway can say what became of it.
    pub(crate) const fn asked_again(self) -> Self {
        match self {
            Self::Queued => Self::Pending,
            Self::Pending => Self::Unknown,
            other => other,
        }
    }

    /// The status of an unsettled payment after a failure to learn the outcome:
    /// queued only where nobody else asked and nothing was done.
    pub(crate) const fn unanswered(self, may_have_acted: bool) -> Self {
        match self {
            Self::Pending if !may_have_acted => Self::Queued,
            Self::Pending => Self::Unknown,
            other => other,
        }
    }

    /// The status of the charge, as one of the payment's transactions shows it.
    pub(crate) const fn of_charge(self) -> TransactionStatus {
        match self {
            Self::Pending | Self::Queued => TransactionStatus::Pending,
            Self::Unknown => TransactionStatus::Unknown,
            Self::Failed => TransactionStatus::Failed,
            Self::Completed | Self::PartiallyRefunded | Self::Refunded => {
                TransactionStatus::Completed
            }
        }
    }
}

impl FromStr for PaymentStatus {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [
            Self::Pending,
            Self::Queued,
            Self::Unknown,
            Self::Completed,
            Self::Failed,
            Self::PartiallyRefunded,
            Self::Refunded,
        ]
        .into_iter()
        .find(|status| status.as_str() == name)
        .ok_or_else(|| format!("`{name}` is not the status of a payment"))
    }
}

/// Where one movement of money stands, as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TransactionStatus {
    /// The gateway has not moved it yet.
    Pending,
    /// The gateway did not answer: it may have moved it.
    Unknown,
    /// It has moved.
    Completed,
    /// It has not, and never will.
    Failed,
}

impl From<RefundStatus> for TransactionStatus {
    fn from(status: RefundStatus) -> Self {
        match status {
            RefundStatus::Pending => Self::Pending,
            RefundStatus::Completed => Self::Completed,
            RefundStatus::Failed => Self::Failed,
        }
    }
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefundStatus {
    /// Promised: the sum is set aside, and the gateway is asked until it answers.
    Pending,
    /// The money is given back.
    Completed,
    /// The gateway would not.
    Failed,
}

impl RefundStatus {
    /// The name in the public API and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for RefundStatus {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Pending, Self::Completed, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == name)
            .ok_or_else(|| format!("`{name}` is not the status of a refund"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_asker_who_was_told_no_leaves_the_payment_queued() {
        use PaymentStatus::{Pending, Queued, Unknown};
        assert_eq!(Pending.unanswered(false), Queued);
        assert_eq!(Pending.unanswered(true), Unknown);
        assert_eq!(Pending.asked_again().unanswered(false), Unknown);
        assert_eq!(Queued.asked_again().unanswered(false), Queued);
        assert_eq!(Unknown.asked_again().unanswered(false), Unknown);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in [
            "pending",
            "queued",
            "unknown",
            "completed",
            "failed",
            "partially_refunded",
            "refunded",
        ] {
            let status: PaymentStatus = name.parse().expect(name);
            assert_eq!(status.as_str(), name);
            assert_eq!(serde_json::to_value(status).expect("JSON"), name);
        }
        assert!("void".parse::<PaymentStatus>().is_err());
        for name in ["pending", "completed", "failed"] {
            let status: RefundStatus = name.parse().expect(name);
            assert_eq!(status.as_str(), name);
        }
    }
}
