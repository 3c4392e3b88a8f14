//! What travels with every call and every event: the correlation id, the W3C
//! trace parent, and the deadline after which nobody listens any more.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::IdSource;

/// 1 to 128 visible ASCII characters that tie together all that one request caused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CorrelationId(Arc<str>);

impl CorrelationId {
    /// A new one, made from a new id.
    pub fn fresh(ids: &dyn IdSource) -> Self {
        Self(ids.uuid().simple().to_string().into())
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CorrelationId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits =
            (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(text.into()))
        } else {
            Err("must be 1 to 128 visible ASCII characters")
        }
    }
}

impl TryFrom<String> for CorrelationId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CorrelationId> for String {
    fn from(id: CorrelationId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A W3C `traceparent`, version 00: <https://www.w3.org/TR/trace-context/>.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent(Arc<str>);

impl TraceParent {
    /// The header's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The start of a new trace.
    pub fn fresh(ids: &dyn IdSource) -> Self {
        let trace = ids.uuid().simple().to_string();
        let span = ids.uuid().simple().to_string();
        Self(format!("00-{trace}-{}-01", &span[16..]).into())
    }
}

impl FromStr for TraceParent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = |part: &str, length: usize| {
            part.len() == length
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let set = |part: &str| part.bytes().any(|byte| byte != b'0');
        let parts: Vec<&str> = text.split('-').collect();
        match parts[..] {
            ["00", trace, span, flags]
                if hex(trace, 32) && hex(span, 16) && hex(flags, 2) && set(trace) && set(span) =>
            {
                Ok(Self(text.into()))
            }
            _ => Err("must be a W3C traceparent of version 00"),
        }
    }
}

impl TryFrom<String> for TraceParent {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.as_str().to_owned()
    }
}

/// Travels with a call through every port, and from there into events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallContext {
    /// Ties together all that one request caused.
    pub correlation: CorrelationId,
    /// The trace that the call belongs to, where there is one.
    pub trace: Option<TraceParent>,
    /// The id of the event or the key of the command that caused this call.
    pub causation: Option<String>,
    /// Nobody listens to the answer after this moment.
    pub deadline: Option<Timestamp>,
}

impl CallContext {
    /// A call that starts here: nobody's effect, with no deadline yet.
    pub fn root(ids: &dyn IdSource) -> Self {
        Self::of(CorrelationId::fresh(ids))
    }

    /// A call on behalf of `correlation`.
    pub fn of(correlation: CorrelationId) -> Self {
        Self {
            correlation,
            trace: None,
            causation: None,
            deadline: None,
        }
    }

    /// The same call, caused by `cause`.
    pub fn caused_by(mut self, cause: impl Into<String>) -> Self {
        self.causation = Some(cause.into());
        self
    }

    /// The same call with a deadline, unless an earlier one holds already.
    pub fn until(mut self, deadline: Timestamp) -> Self {
        self.deadline = Some(
            self.deadline
                .map_or(deadline, |earlier| earlier.min(deadline)),
        );
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SequentialIds;

    #[test]
    fn correlation_ids_are_visible_ascii() {
        for text in ["", "a b", "é", "a\n", &"x".repeat(129)] {
            assert!(text.parse::<CorrelationId>().is_err(), "{text}");
        }
        assert!("x".repeat(128).parse::<CorrelationId>().is_ok());
    }

    #[test]
    fn trace_parents_are_checked() {
        let ids = SequentialIds::default();
        let fresh = TraceParent::fresh(&ids);
        assert_eq!(fresh.as_str().parse(), Ok(fresh));
        for text in [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert!(text.parse::<TraceParent>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_earlier_deadline_holds() {
        let call = CallContext::root(&SequentialIds::default())
            .until(Timestamp::from_micros(5))
            .until(Timestamp::from_micros(9));
        assert_eq!(call.deadline, Some(Timestamp::from_micros(5)));
    }
}
