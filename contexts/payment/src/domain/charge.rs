//! What a gateway can say of a charge, and why one came to nothing.

use cleave_payment_contract::port::{ALREADY_REFUNDED, PAYMENT_DECLINED};
use cleave_vocabulary::Refusal;

/// The final word on a charge. The gateway never takes it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// The money is taken.
    Taken {
        /// How the gateway knows the charge.
        reference: String,
    },
    /// The gateway said no.
    Declined {
        /// In its words.
        message: String,
    },
    /// Called off before it was taken: a charge that comes late takes nothing.
    Voided,
}

/// Why the money was not taken, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChargeFailure {
    pub(crate) code: FailureCode,
    /// For people: the gateway's words, where it gave any.
    pub(crate) message: String,
}

/// The kinds of such reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = PaymentFailureCode)]
pub(crate) enum FailureCode {
    /// The gateway said no.
    #[serde(rename = "payment_declined")]
    Declined,
    /// The order's money was asked back before it was taken.
    #[serde(rename = "already_refunded")]
    Voided,
}

impl FailureCode {
    /// The code of the refusal, which is also what the database keeps.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Declined => PAYMENT_DECLINED,
            Self::Voided => ALREADY_REFUNDED,
        }
    }

    /// The code behind what the database keeps.
    pub(crate) fn parse(code: &str) -> Result<Self, String> {
        [Self::Declined, Self::Voided]
            .into_iter()
            .find(|known| known.as_str() == code)
            .ok_or_else(|| format!("`{code}` is no reason for a failed payment"))
    }
}

impl ChargeFailure {
    pub(crate) fn declined(message: String) -> Self {
        Self {
            code: FailureCode::Declined,
            message,
        }
    }

    pub(crate) fn voided() -> Self {
        Self {
            code: FailureCode::Voided,
            message: "the payment was called off before any money was taken".to_owned(),
        }
    }

    pub(crate) fn refusal(&self) -> Refusal {
        Refusal::new(self.code.as_str(), self.message.clone())
    }
}
