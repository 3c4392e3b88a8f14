//! Each instrument, each repetition.

use cleave_tests::staging::Stage;
use std::time::Duration;

use cleave_payment_contract::events::{PaymentCompleted, PaymentFailed};
use cleave_payment_contract::port::{ChargeOrder, SupportsMethod};
use cleave_tests::snapshots::masked;
use cleave_vocabulary::KeyedOutcome;

use super::fixture::{Fixture, gbp, impatient, refused, unknown, user};

#[tokio::test]
async fn a_good_card_is_charged_and_said_so() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    let charged = f.charge(&command).await.expect("charged");
    assert_eq!(f.status(command.order_id).await, "completed");

    let [event] = &f.envelopes().await[..] else {
        panic!("one event")
    };
    let said: PaymentCompleted = event.decode().expect("payment.completed");
    assert_eq!(said.payment_id, charged.payment_id);
    assert_eq!(said.order_id, command.order_id);
    assert_eq!(said.user_id, user());
    assert_eq!(said.amount, gbp(1000));
    assert_eq!(event.subject, charged.payment_id.to_string());
    assert_eq!(event.correlationid.as_str(), "test-1");

    let entry = f.at_gateway(&command).await.expect("taken");
    assert_eq!((entry.amount, entry.refunded), (gbp(1000), gbp(0)));
    f.audit().await;
}

#[tokio::test]
async fn a_charge_costs_two_units_here_and_one_at_the_gateway() {
    let f = Fixture::new().await;
    f.charge(&f.command("pm_card_visa")).await.expect("warm");
    let (here, there) = (f.store.store.write_stats(), f.books.store.write_stats());
    let reads = f.store.store.read_stats();
    f.charge(&f.command("pm_card_visa")).await.expect("charged");
    let (now, then) = (f.store.store.write_stats(), f.books.store.write_stats());
    assert_eq!(now.units - here.units, 2);
    // Insert the payment; then settle it and append the event.
    assert_eq!(now.statements - here.statements, 3);
    assert_eq!(then.units - there.units, 1);
    assert_eq!(then.statements - there.statements, 1);
    assert_eq!(f.store.store.read_stats(), reads);
}

#[tokio::test]
async fn a_declined_card_is_refused_in_the_gateways_words() {
    let f = Fixture::new().await;
    for (method, words) in [
        ("pm_card_chargeDeclined", "Your card was declined."),
        (
            "pm_card_chargeDeclinedInsufficientFunds",
            "Your card has insufficient funds.",
        ),
    ] {
        let command = f.command(method);
        let first = f.charge(&command).await;
        let text = first.clone().expect_err("declined").to_string();
        assert!(text.contains(words), "{text}");
        assert_eq!(refused(first.clone()), "payment_declined");
        assert_eq!(f.status(command.order_id).await, "failed");
        assert_eq!(f.charge(&command).await, first);
        assert_eq!(f.at_gateway(&command).await, None);
    }
    assert_eq!(f.events().await, ["payment.failed", "payment.failed"]);
    let said: PaymentFailed = f.envelopes().await[0].decode().expect("payment.failed");
    assert_eq!(said.code, "payment_declined");
    assert_eq!(said.message, "Your card was declined.");
    f.audit().await;
}

#[tokio::test]
async fn a_passing_fault_is_retried_within_the_charge() {
    let f = Fixture::new().await;
    let command = f.command("pm_sim_flaky");
    f.charge(&command).await.expect("charged");
    assert_eq!(f.gateway.charges(), 3);
    assert_eq!(f.status(command.order_id).await, "completed");
    f.audit().await;
}

#[tokio::test]
async fn an_absent_gateway_leaves_the_payment_queued() {
    let f = Fixture::new().await;
    let command = f.command("pm_sim_unavailable");
    for _ in 0..2 {
        assert!(!unknown(f.charge(&command).await));
        assert_eq!(f.status(command.order_id).await, "queued");
        assert_eq!(f.resolve(&command).await, KeyedOutcome::Never);
    }
    assert_eq!(f.at_gateway(&command).await, None);
    assert_eq!(f.events().await, Vec::<String>::new());
    f.audit().await;
}

#[tokio::test]
async fn a_queued_payment_goes_on_once_the_gateway_is_back() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.gateway.gate.set(Stage::Away);
    for _ in 0..2 {
        assert!(!unknown(f.charge(&command).await));
        assert_eq!(f.status(command.order_id).await, "queued");
    }
    f.gateway.gate.set(Stage::Open);
    let charged = f.charge(&command).await.expect("charged");
    assert_eq!(f.resolve(&command).await, KeyedOutcome::Done(charged));
    assert_eq!(f.events().await, ["payment.completed"]);
    f.audit().await;
}

#[tokio::test]
async fn an_answer_that_never_comes_is_unknown_until_it_is_asked_for() {
    let f = Fixture::new().await;
    let command = f.command("pm_sim_timeout");
    assert!(unknown(f.charge_unanswered(&command).await));
    assert_eq!(f.status(command.order_id).await, "unknown");
    assert_eq!(f.gateway.charges(), 1, "an unknown outcome is not repeated");
    assert_eq!(f.events().await, Vec::<String>::new());

    let resolved = f.resolve(&command).await;
    let KeyedOutcome::Done(charged) = resolved else {
        panic!("{resolved:?}")
    };
    assert_eq!(f.status(command.order_id).await, "completed");
    assert_eq!(f.charge(&command).await, Ok(charged));
    assert_eq!(f.gateway.charges(), 1);
    assert_eq!(f.events().await, ["payment.completed"]);
    f.audit().await;
}

#[tokio::test]
async fn repeating_a_charge_of_unknown_outcome_asks_what_became_of_it() {
    let f = Fixture::new().await;
    let command = f.command("pm_sim_timeout");
    assert!(unknown(f.charge_unanswered(&command).await));
    f.charge(&command).await.expect("it was taken");
    assert_eq!(f.gateway.charges(), 1);
    assert_eq!(f.events().await, ["payment.completed"]);
    f.audit().await;
}

#[tokio::test]
async fn a_slow_card_takes_two_seconds() {
    let mut settings = impatient();
    settings.gateway.time_limit = Duration::from_hours(1);
    let f = Fixture::with(settings).await;
    let (command, began) = (f.command("pm_sim_slow"), f.now());
    let charging = f.charging(&command);
    let charged = f.elapse(charging, Duration::from_millis(10)).await;
    charged.expect("charged");
    assert!(f.now().since(began) >= Duration::from_secs(2));
    f.audit().await;
}

#[tokio::test]
async fn a_distant_gateway_takes_its_latency() {
    let mut settings = impatient();
    settings.simulated.latency = Duration::from_millis(250);
    settings.gateway.time_limit = Duration::from_hours(1);
    let f = Fixture::with(settings).await;
    let (command, began) = (f.command("pm_card_visa"), f.now());
    let charging = f.charging(&command);
    let charged = f.elapse(charging, Duration::from_millis(10)).await;
    charged.expect("charged");
    assert!(f.now().since(began) >= Duration::from_millis(250));
}

#[tokio::test]
async fn what_is_no_instrument_is_not_supported_and_declined() {
    let f = Fixture::new().await;
    for (payment_method, expected) in [
        ("pm_card_visa", true),
        ("pm_card_mastercard", false),
        ("", false),
    ] {
        let payment_method = payment_method.to_owned();
        let ask = SupportsMethod { payment_method };
        let told = f.port.supports(&f.call, ask).await.expect("told");
        assert_eq!(told.supported, expected);
    }
    let charged = f.charge(&f.command("pm_card_mastercard")).await;
    assert_eq!(refused(charged), "payment_declined");
}

#[tokio::test]
async fn the_same_key_gets_the_first_outcome_even_after_a_refund() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    let first = f.charge(&command).await;
    assert_eq!(f.charge(&command).await, first);
    f.refund(&command).await.expect("refunded");
    assert_eq!(f.charge(&command).await, first);
    assert_eq!(f.gateway.charges(), 1);
    assert_eq!(f.events().await, ["payment.completed", "payment.refunded"]);
}

#[tokio::test]
async fn an_order_has_one_charge_and_a_key_one_order() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.charge(&command).await.expect("charged");
    let others = [
        ChargeOrder {
            key: "another".to_owned(),
            ..command.clone()
        },
        ChargeOrder {
            amount: gbp(1),
            ..command.clone()
        },
        ChargeOrder {
            order_id: f.ids.next(),
            ..command.clone()
        },
    ];
    for other in others {
        assert_eq!(refused(f.charge(&other).await), "charge_conflict");
    }
    assert_eq!(f.gateway.charges(), 1);
    f.audit().await;
}

#[tokio::test]
async fn many_at_once_with_one_key_charge_once() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    let charging: Vec<_> = (0..8).map(|_| f.charging(&command)).collect();
    let mut payments = Vec::new();
    for charge in charging {
        let charged = charge.await.expect("no panic").expect("charged");
        payments.push(charged.payment_id);
    }
    payments.dedup();
    assert_eq!(payments.len(), 1);
    assert_eq!(f.events().await, ["payment.completed"]);
    let statement = f.statement(command.order_id).await.expect("a payment");
    assert_eq!(statement.completed_charges, 1);
    assert_eq!(statement.charged, gbp(1000));
    f.audit().await;
}

#[tokio::test]
async fn the_events_json_is_frozen() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.charge(&command).await.expect("charged");
    f.refund(&command).await.expect("refunded");
    let declined = f.command("pm_card_chargeDeclined");
    assert_eq!(refused(f.charge(&declined).await), "payment_declined");
    let published = f.published().await;
    insta::assert_json_snapshot!("events", masked(&published));
}
