//! A refusal is an answer: the rule was applied and the answer is no. A failure
//! is the absence of an answer. Only failures are retried, and only failures
//! count against a circuit breaker.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A business rule said no. Asking again changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, thiserror::Error)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
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
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unavailable,
        Self::Timeout,
        Self::Overloaded,
        Self::BreakerOpen,
        Self::Unsupported,
        Self::Broken,
    ];

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
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

/// By hand, because a derived schema has one name whatever the reply is, and a port
/// has outcomes of several.
impl<T: ToSchema> PartialSchema for KeyedOutcome<T> {
    fn schema() -> RefOr<Schema> {
        let form = |outcome: &str, meaning: &str| {
            let tag = ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some([outcome]));
            ObjectBuilder::new()
                .description(Some(meaning))
                .property("outcome", tag)
                .required("outcome")
        };
        let with = |form: ObjectBuilder, value: &str| {
            form.property("value", Ref::from_schema_name(value))
                .required("value")
        };
        let done = form("done", "It happened, with this reply.");
        let refused = form("refused", "It was refused.");
        OneOfBuilder::new()
            .description(Some(
                "What became of a command, asked of its provider by the command's key.",
            ))
            .item(with(done, &T::name()))
            .item(with(refused, &Refusal::name()))
            .item(form("never", "The provider never did it."))
            .into()
    }
}

impl<T: ToSchema> ToSchema for KeyedOutcome<T> {
    fn name() -> Cow<'static, str> {
        format!("KeyedOutcome_{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        schemas.push((Refusal::name().into_owned(), Refusal::schema()));
        T::schemas(schemas);
        Refusal::schemas(schemas);
    }
}

/// Asks what became of the command with this key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutcomeOf {
    /// The command's idempotency key.
    pub key: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_failure_is_named_as_it_is_written() {
        let names = FailureKind::ALL.map(FailureKind::as_str);
        assert_eq!(json!(FailureKind::ALL), json!(names));
        assert_eq!(json!(FailureKind::schema())["enum"], json!(names));
    }

    #[test]
    fn every_outcome_has_the_form_that_its_schema_says() {
        let outcomes = [
            KeyedOutcome::Done(OutcomeOf { key: "k-1".into() }),
            KeyedOutcome::Refused(Refusal::new("no_ink", "No ink.")),
            KeyedOutcome::Never,
        ];
        let schema = json!(KeyedOutcome::<OutcomeOf>::schema());
        assert_eq!(
            schema["oneOf"].as_array().map(Vec::len),
            Some(outcomes.len())
        );
        for (outcome, form) in outcomes
            .iter()
            .zip(schema["oneOf"].as_array().expect("forms"))
        {
            let written = json!(outcome);
            let members = written.as_object().expect("an object").keys();
            assert_eq!(json!(members.collect::<Vec<_>>()), form["required"]);
            let tag = &form["properties"]["outcome"]["enum"];
            assert_eq!(*tag, json!([written["outcome"]]));
        }
    }
}
