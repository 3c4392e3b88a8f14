//! Words of a later release, in answers to a caller of today and in events.

use cleave_inventory_contract::port::{self as inventory, GetHoldings, InventoryPort};
use cleave_payment_contract::events::PaymentCompleted;
use cleave_payment_contract::port::{self as payment, PaymentPort};
use cleave_vocabulary::{CallContext, FailureKind, OutcomeOf};
use http::StatusCode;
use serde_json::json;

use super::{book::answered, pounds};
use crate::seam::{Endpoint, failure};

async fn resolve(
    endpoint: Endpoint,
    call: CallContext,
    input: OutcomeOf,
) -> Result<cleave_vocabulary::KeyedOutcome<payment::Charged>, cleave_vocabulary::PortError> {
    let port = payment::Client::new(endpoint);
    port.resolve_charge(&call, input).await
}

#[tokio::test]
async fn a_state_that_nobody_knows_is_a_failed_question() {
    let holding = json!({ "order_id": "ord_01h455vb4pex5vsknk084sn02q", "state": "quarantined" });
    let ask = |endpoint, call, input: GetHoldings| async move {
        inventory::Client::new(endpoint)
            .holdings(&call, input)
            .await
    };
    let input = GetHoldings { order_ids: vec![] };
    let answer = answered(StatusCode::OK, json!({ "items": [holding] }), &ask, input).await;
    let failure = failure(answer);
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(!failure.outcome_unknown, "a question changes nothing");
}

#[tokio::test]
async fn an_outcome_that_nobody_knows_leaves_the_command_in_doubt() {
    let input = OutcomeOf {
        key: "k-1".to_owned(),
    };
    let answer = json!({ "outcome": "postponed", "value": {} });
    let failure = failure(answered(StatusCode::OK, answer, &resolve, input).await);
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.outcome_unknown);
}

#[tokio::test]
async fn a_kind_of_failure_that_nobody_knows_is_judged_by_its_status() {
    let input = OutcomeOf {
        key: "k-1".to_owned(),
    };
    let failed = json!({ "kind": "flooded", "message": "wet", "outcome_unknown": false });
    let answer = json!({ "failed": failed });
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let failure = failure(answered(status, answer, &resolve, input).await);
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(failure.outcome_unknown, "its word is not understood");
}

#[test]
fn an_event_may_say_more_of_an_amount() {
    let event = json!({
        "payment_id": "pay_01h455vb4pex5vsknk084sn02q",
        "order_id": "ord_01h455vb4pex5vsknk084sn02q",
        "user_id": "usr_01h455vb4pex5vsknk084sn02q",
        "transaction_id": "txn_01h455vb4pex5vsknk084sn02q",
        "amount": { "amount": 1999, "currency": "GBP", "scale": 2 },
    });
    let event: PaymentCompleted = serde_json::from_value(event).expect("an event");
    assert_eq!(event.amount, pounds(1999));
}
