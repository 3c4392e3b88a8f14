//! Giving back what is kept for an order.

use cleave_tests::staging::Stage;
use std::sync::atomic::Ordering;

use cleave_payment_contract::events::PaymentRefunded;
use cleave_payment_contract::port::{RefundOrder, Refunded};

use super::fixture::{Fixture, gbp, refused, unknown};

#[tokio::test]
async fn all_that_was_taken_is_given_back_once() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    let charged = f.charge(&command).await.expect("charged");
    let refunded = f.refund(&command).await.expect("refunded");
    let expected = Refunded {
        payment_id: Some(charged.payment_id),
        amount: Some(gbp(1000)),
    };
    assert_eq!(refunded, expected);
    assert_eq!(f.status(command.order_id).await, "refunded");
    let statement = f.statement(command.order_id).await.expect("a payment");
    assert_eq!(statement.completed_charges, 1);
    assert_eq!(statement.charged, statement.refunded);

    assert_eq!(f.refund(&command).await, Ok(expected));
    assert_eq!(f.gateway.refunds.load(Ordering::Relaxed), 1);
    let said: PaymentRefunded = f.envelopes().await[1].decode().expect("payment.refunded");
    assert_eq!(said.amount, gbp(1000));
    assert_eq!(said.refunded, gbp(1000));
    assert_eq!(said.status, "refunded");
    assert_eq!(said.reason, "compensated");
    assert_eq!(f.events().await.len(), 2);
    f.audit().await;
}

#[tokio::test]
async fn another_key_finds_nothing_left() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.charge(&command).await.expect("charged");
    f.refund(&command).await.expect("refunded");
    let again = RefundOrder {
        key: "another".to_owned(),
        order_id: command.order_id,
        reason: String::new(),
    };
    let refunded = f
        .port
        .refund(&f.call, again)
        .await
        .expect("nothing is kept");
    assert_eq!(refunded.amount, None);
    f.audit().await;
}

#[tokio::test]
async fn where_nothing_was_charged_a_late_charge_is_refused() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    for _ in 0..2 {
        let refunded = f.refund(&command).await.expect("a tombstone");
        assert_eq!((refunded.payment_id, refunded.amount), (None, None));
    }
    for _ in 0..2 {
        assert_eq!(refused(f.charge(&command).await), "already_refunded");
    }
    assert_eq!(f.gateway.charges(), 0);
    assert_eq!(f.status(command.order_id).await, "");
    assert_eq!(f.statement(command.order_id).await, None);
    f.audit().await;
}

#[tokio::test]
async fn a_declined_payment_has_nothing_to_give_back() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_chargeDeclined");
    assert_eq!(refused(f.charge(&command).await), "payment_declined");
    let refunded = f.refund(&command).await.expect("nothing is kept");
    assert!(refunded.payment_id.is_some());
    assert_eq!(refunded.amount, None);
    assert_eq!(refused(f.charge(&command).await), "payment_declined");
}

#[tokio::test]
async fn a_queued_payment_is_called_off_without_the_gateway() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.gateway.gate.set(Stage::Away);
    assert!(!unknown(f.charge(&command).await));
    let refunded = f.refund(&command).await.expect("called off");
    assert_eq!(refunded.amount, None);
    f.gateway.gate.set(Stage::Open);
    assert_eq!(refused(f.charge(&command).await), "already_refunded");
    assert_eq!(f.at_gateway(&command).await, None);
    f.audit().await;
}

#[tokio::test]
async fn a_doubtful_payment_waits_for_the_gateway_to_be_refunded() {
    let f = Fixture::new().await;
    let command = f.command("pm_sim_timeout");
    assert!(unknown(f.charge_unanswered(&command).await));
    f.gateway.gate.set(Stage::Away);
    assert!(!unknown(f.refund(&command).await));
    assert_eq!(f.status(command.order_id).await, "unknown");
    f.gateway.gate.set(Stage::Open);
    let refunded = f.refund(&command).await.expect("refunded");
    assert_eq!(refunded.amount, Some(gbp(1000)));
    assert_eq!(f.events().await, ["payment.completed", "payment.refunded"]);
    f.audit().await;
}

#[tokio::test]
async fn a_promised_refund_is_kept_when_it_is_repeated() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.charge(&command).await.expect("charged");
    f.gateway.gate.set(Stage::Away);
    assert!(!unknown(f.refund(&command).await));
    assert_eq!(f.status(command.order_id).await, "completed");
    f.audit().await;
    f.gateway.gate.set(Stage::Open);
    let refunded = f.refund(&command).await.expect("refunded");
    assert_eq!(refunded.amount, Some(gbp(1000)));
    f.audit().await;
}

#[tokio::test]
async fn another_key_finishes_what_the_first_has_promised() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.charge(&command).await.expect("charged");
    f.gateway.gate.set(Stage::Away);
    assert!(!unknown(f.refund(&command).await));
    f.gateway.gate.set(Stage::Open);
    let other = RefundOrder {
        key: "another".to_owned(),
        order_id: command.order_id,
        reason: String::new(),
    };
    let refunded = f
        .port
        .refund(&f.call, other)
        .await
        .expect("nothing is kept");
    assert_eq!(refunded.amount, None);
    assert_eq!(f.status(command.order_id).await, "refunded");
    f.audit().await;
}

#[tokio::test]
async fn a_refund_that_was_left_behind_is_settled_in_the_background() {
    let mut f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.charge(&command).await.expect("charged");
    f.gateway.gate.set(Stage::Away);
    assert!(!unknown(f.refund(&command).await));
    f.gateway.gate.set(Stage::Open);

    f.sweep_until(command.order_id, "refunded").await;
    assert_eq!(f.envelopes().await[1].correlationid.as_str(), "test-1");
    f.audit().await;
}

#[tokio::test]
async fn many_undoings_at_once_give_back_once() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.charge(&command).await.expect("charged");
    let refunds = (0..8).map(|n| {
        let refund = RefundOrder {
            key: format!("undo-{n}"),
            order_id: command.order_id,
            reason: String::new(),
        };
        let (port, call) = (f.port.clone(), f.call.clone());
        tokio::spawn(async move { port.refund(&call, refund).await })
    });
    let mut given = Vec::new();
    for refund in refunds.collect::<Vec<_>>() {
        given.extend(refund.await.expect("no panic").expect("refunded").amount);
    }
    assert_eq!(given, [gbp(1000)]);
    let entry = f.at_gateway(&command).await.expect("taken");
    assert_eq!(entry.refunded, gbp(1000));
    f.audit().await;
}
