//! The program dies between its own record and the gateway's answer. Whoever
//! comes back, to ask, to repeat or to undo, finds the truth.

use cleave_payment_contract::port::Refunded;
use cleave_tests::audits::tamper;
use cleave_tests::staging::Stage;
use cleave_vocabulary::KeyedOutcome;

use super::fixture::{Fixture, gbp, refused, unknown};

#[tokio::test]
async fn before_the_gateway_was_reached_nothing_was_taken() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.crash_at(Stage::Before, &command).await;
    assert_eq!(f.status(command.order_id).await, "pending");
    assert_eq!(f.resolve(&command).await, KeyedOutcome::Never);
    let charged = f.charge(&command).await.expect("charged");
    assert_eq!(f.resolve(&command).await, KeyedOutcome::Done(charged));
    assert_eq!(f.events().await, ["payment.completed"]);
    f.audit().await;
}

#[tokio::test]
async fn after_the_gateway_took_the_money_asking_finds_it() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.crash_at(Stage::After, &command).await;
    assert_eq!(f.status(command.order_id).await, "pending");
    assert!(matches!(f.resolve(&command).await, KeyedOutcome::Done(_)));
    assert_eq!(f.status(command.order_id).await, "completed");
    assert_eq!(f.events().await, ["payment.completed"]);
    f.audit().await;
}

#[tokio::test]
async fn after_the_gateway_took_the_money_repeating_finds_it_too() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.crash_at(Stage::After, &command).await;
    f.charge(&command).await.expect("charged");
    assert_eq!(f.gateway.charges(), 1);
    assert_eq!(f.events().await, ["payment.completed"]);
    f.audit().await;
}

#[tokio::test]
async fn after_the_gateway_said_no_asking_finds_the_refusal() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_chargeDeclined");
    f.crash_at(Stage::After, &command).await;
    let resolved = f.resolve(&command).await;
    let KeyedOutcome::Refused(refusal) = resolved else {
        panic!("{resolved:?}")
    };
    assert_eq!(refusal.code, "payment_declined");
    assert_eq!(f.events().await, ["payment.failed"]);
}

#[tokio::test]
async fn a_repeat_after_a_crash_that_finds_the_gateway_away_stays_in_doubt() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.crash_at(Stage::After, &command).await;
    f.gateway.gate.set(Stage::Away);
    assert!(unknown(f.charge(&command).await));
    assert_eq!(f.status(command.order_id).await, "unknown");
    f.gateway.gate.set(Stage::Open);
    f.charge(&command).await.expect("it was taken");
    f.audit().await;
}

#[tokio::test]
async fn undoing_a_charge_that_took_the_money_gives_it_back() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.crash_at(Stage::After, &command).await;
    let refunded = f.refund(&command).await.expect("refunded");
    assert_eq!(refunded.amount, Some(gbp(1000)));
    assert_eq!(f.events().await, ["payment.completed", "payment.refunded"]);
    let entry = f.at_gateway(&command).await.expect("taken once");
    assert_eq!(entry.refunded, gbp(1000));
    f.audit().await;
}

#[tokio::test]
async fn undoing_a_charge_that_took_nothing_keeps_it_from_ever_doing_so() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.crash_at(Stage::Before, &command).await;
    let Refunded { payment_id, amount } = f.refund(&command).await.expect("nothing is kept");
    assert!(payment_id.is_some());
    assert_eq!(amount, None);
    assert_eq!(refused(f.charge(&command).await), "already_refunded");
    assert_eq!(f.status(command.order_id).await, "failed");
    assert_eq!(f.at_gateway(&command).await, None);
    assert_eq!(f.events().await, Vec::<String>::new());
    f.audit().await;
}

#[tokio::test]
async fn a_charge_that_is_overtaken_by_its_undoing_takes_nothing() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.gateway.gate.set(Stage::Before);
    let late = f.charging(&command);
    f.gateway.gate.reached.notified().await;
    let refunded = f.refund(&command).await.expect("called off");
    assert_eq!(refunded.amount, None);

    f.gateway.gate.set(Stage::Open);
    f.gateway.gate.release.notify_one();
    let outcome = late.await.expect("no panic");
    assert_eq!(refused(outcome), "already_refunded");
    assert_eq!(f.at_gateway(&command).await, None);
    f.audit().await;
}

#[tokio::test]
async fn a_charge_whose_answer_is_overtaken_by_its_undoing_is_given_back() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.gateway.gate.set(Stage::After);
    let late = f.charging(&command);
    f.gateway.gate.reached.notified().await;
    let refunded = f.refund(&command).await.expect("refunded");
    assert_eq!(refunded.amount, Some(gbp(1000)));

    f.gateway.gate.set(Stage::Open);
    f.gateway.gate.release.notify_one();
    late.await.expect("no panic").expect("it was charged");
    assert_eq!(f.status(command.order_id).await, "refunded");
    assert_eq!(f.events().await, ["payment.completed", "payment.refunded"]);
    f.audit().await;
}

#[tokio::test]
async fn a_row_that_does_not_say_how_it_ended_leaves_a_doubt() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.gateway.gate.set(Stage::After);
    let charging = f.charging(&command);
    f.gateway.gate.reached.notified().await;
    let failed = "UPDATE payments SET status = 'failed'";
    tamper(&f.store.store, failed).await;
    f.gateway.gate.release.notify_one();
    assert!(unknown(charging.await.expect("no panic")));
    f.gateway.gate.set(Stage::Open);
    assert!(unknown(f.charge(&command).await));
    assert_eq!(f.events().await, [] as [&str; 0]);
}
