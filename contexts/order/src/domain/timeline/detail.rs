//! What an item of the timeline says beside its name. Owners of orders read
//! it, so it repeats nothing that the order shows anyway, and of an error it
//! tells the kind alone: its words may name machines.

use serde_json::{Value, json};

/// Members of events that say whose story it is, or that the order itself shows.
const KNOWN: [&str; 8] = [
    "order_id",
    "user_id",
    "items",
    "lines",
    "total",
    "payment_method",
    "shipping_address",
    "created_at",
];

/// The kinds of failure that a port call may end with, as the log of a saga
/// begins with them.
const FAILURES: [&str; 6] = [
    "unavailable",
    "timeout",
    "overloaded",
    "breaker_open",
    "unsupported",
    "broken",
];

/// The context that events of this type come from.
pub(crate) fn context_of(event_type: &str) -> &'static str {
    match event_type.split('.').next() {
        Some("inventory") => "inventory",
        Some("payment") => "payment",
        Some("shipment") => "shipping",
        Some("notification") => "notification",
        Some("user") => "user",
        _ => "order",
    }
}

/// Whether an event of another context tells what a command brought about,
/// while the command was under way. Others happen of themselves later, though
/// they, too, may name the command that everything began with.
pub(crate) fn is_answer(event_type: &str, data: &Value) -> bool {
    match event_type {
        "shipment.dispatched" | "shipment.delivered" => false,
        "inventory.released" => data["reason"] != "expired",
        _ => true,
    }
}

/// What an event's payload adds to the story.
pub(crate) fn of_event(data: Value) -> Option<Value> {
    match data {
        Value::Object(mut members) => {
            members.retain(|name, value| !KNOWN.contains(&name.as_str()) && !value.is_null());
            (!members.is_empty()).then_some(Value::Object(members))
        }
        _ => None,
    }
}

/// What a line of the saga's log adds to the story.
pub(crate) fn of_step(outcome: &str, detail: Option<Value>) -> Option<Value> {
    match (outcome, detail?) {
        ("failed" | "unknown" | "stuck", error) => {
            let text = error.as_str().unwrap_or_default();
            let kind = text.split(':').next().unwrap_or_default();
            let known = FAILURES.into_iter().find(|name| *name == kind);
            Some(json!({"error": known.unwrap_or("failed")}))
        }
        ("cancelled", reason) => Some(json!({"reason": reason})),
        ("resolved", outcome) => Some(json!({"outcome": outcome})),
        (_, Value::Null) => None,
        (_, detail) => Some(detail),
    }
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::FailureKind;

    use super::*;

    #[test]
    fn events_add_what_the_order_does_not_show() {
        let cancelled = json!({"order_id": "o", "user_id": "u", "reason": "expired"});
        assert_eq!(of_event(cancelled), Some(json!({"reason": "expired"})));
        assert_eq!(of_event(json!({"order_id": "o", "items": [1]})), None);
    }

    #[test]
    fn errors_tell_their_kind_and_nothing_of_our_insides() {
        let told = |text: &str| of_step("failed", Some(text.into()));
        assert_eq!(
            told("timeout: http://10.0.0.7:9000 did not answer"),
            Some(json!({"error": "timeout"}))
        );
        assert_eq!(told("10.0.0.7 is away"), Some(json!({"error": "failed"})));
    }

    #[test]
    fn every_kind_of_failure_is_known() {
        for kind in [
            FailureKind::Unavailable,
            FailureKind::Timeout,
            FailureKind::Overloaded,
            FailureKind::BreakerOpen,
            FailureKind::Unsupported,
            FailureKind::Broken,
        ] {
            assert!(FAILURES.contains(&kind.as_str()), "{}", kind.as_str());
        }
    }
}
