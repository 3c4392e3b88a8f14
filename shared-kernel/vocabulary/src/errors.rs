//! A refusal is an answer: the rule was applied and the answer is no. A failure
//! is the absence of an answer. Only failures are retried, and only failures
//! count against a circuit breaker.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A business rule said no. Asking again changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// Stable, `snake_case`; part of the contract.
    pub code: Cow<'static, str>,
    /// For a person; may change.
    pub message: String,
    /// What a program needs to react, where the code alone is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

impl Refusal {
    /// A refusal with a code and a sentence.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            details: None,
        }
    }

    /// Adds what a program needs to react.
    pub fn with_details(mut self, details: impl Serialize) -> Self {
        self.details = serde_json::to_value(details).ok();
        self
    }
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Nobody there, or it said that it can't serve now.
    Unavailable,
    /// The time limit or the deadline passed.
    Timeout,
    /// The bulkhead, or the provider's queue, is full.
    Overloaded,
    /// The circuit breaker is open; nothing was sent.
    BreakerOpen,
    /// The other side does not know the operation.
    Unsupported,
    /// The other side answered what could not be understood, or broke.
    Broken,
}

impl FailureKind {
    /// The stable name, as metrics and logs show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Overloaded => "overloaded",
            Self::BreakerOpen => "breaker_open",
            Self::Unsupported => "unsupported",
            Self::Broken => "broken",
        }
    }
}

/// There was no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {message}", kind.as_str())]
pub struct Failure {
    /// Why.
    pub kind: FailureKind,
    /// For the log; never shown to clients of the API.
    pub message: String,
    /// Whether the other side may have acted all the same. Such an outcome is
    /// resolved by asking with the key, never by guessing.
    pub outcome_unknown: bool,
}

impl Failure {
    /// A failure of which it is certain that nothing was done.
    pub fn clean(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            outcome_unknown: false,
        }
    }

    /// A failure after which the other side may have acted.
    pub fn unknown(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            outcome_unknown: true,
        }
    }
}

/// What a port answers when it does not answer with a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum PortError {
    /// The rule said no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// There was no answer.
    #[error("failed: {0}")]
    Failed(Failure),
}

impl From<Refusal> for PortError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What became of a command, asked of its provider by the command's key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "value")]
pub enum KeyedOutcome<T> {
    /// It happened, with this reply.
    Done(T),
    /// It was refused.
    Refused(Refusal),
    /// The provider never did it.
    Never,
}

/// Asks what became of the command with this key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeOf {
    /// The command's idempotency key.
    pub key: String,
}
