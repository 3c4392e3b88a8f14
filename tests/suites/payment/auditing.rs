//! The auditor finds what must not be.

use cleave_tests::audits::{self, looked, tamper};

use super::fixture::Fixture;

/// The checks that are broken.
async fn broken(f: &Fixture) -> Vec<String> {
    audits::broken(&*f.built.context.auditor).await
}

async fn charged() -> Fixture {
    let f = Fixture::new().await;
    f.charge(&f.command("pm_card_visa")).await.expect("charged");
    let undone = f.command("pm_card_visa");
    f.charge(&undone).await.expect("charged");
    f.refund(&undone).await.expect("refunded");
    assert_eq!(broken(&f).await, Vec::<String>::new());
    f
}

#[tokio::test]
async fn everything_is_looked_at() {
    let f = charged().await;
    let checks = f.built.context.auditor.audit().await.expect("audit");
    let expected = [
        ("no_more_is_refunded_than_charged", 2),
        ("payment_status_agrees_with_transactions", 2),
        ("payments_agree_with_the_gateway", 2),
        ("each_key_is_charged_once", 2),
    ];
    assert_eq!(looked(&checks), expected);
}

#[tokio::test]
async fn a_refund_out_of_nothing_is_found() {
    let f = charged().await;
    tamper(
        &f.store.store,
        "UPDATE payments SET status = 'failed', failure_code = 'payment_declined' \
         WHERE status = 'refunded'",
    )
    .await;
    let found = broken(&f).await;
    assert!(found.contains(&"no_more_is_refunded_than_charged".to_owned()));
    assert!(found.contains(&"payment_status_agrees_with_transactions".to_owned()));
}

#[tokio::test]
async fn a_status_that_its_transactions_do_not_bear_out_is_found() {
    let f = charged().await;
    let sql = "UPDATE payments SET status = 'refunded' WHERE status = 'completed'";
    tamper(&f.store.store, sql).await;
    assert_eq!(
        broken(&f).await,
        ["payment_status_agrees_with_transactions"]
    );
}

#[tokio::test]
async fn money_that_the_gateway_never_took_is_found() {
    let f = charged().await;
    let sql = "UPDATE gateway_charges SET outcome = 'declined' WHERE refunded_amount = 0";
    tamper(&f.books.store, sql).await;
    assert_eq!(broken(&f).await, ["payments_agree_with_the_gateway"]);
}

#[tokio::test]
async fn a_refund_that_the_gateway_never_gave_is_found() {
    let f = charged().await;
    let sql = "UPDATE gateway_charges SET refunded_amount = 0";
    tamper(&f.books.store, sql).await;
    assert_eq!(broken(&f).await, ["payments_agree_with_the_gateway"]);
}

#[tokio::test]
async fn a_charge_that_is_nobodys_is_found() {
    let f = charged().await;
    tamper(
        &f.books.store,
        "INSERT INTO gateway_charges (reference, key, amount, currency, outcome, created_at) \
         VALUES ('ch_stray', 'stray', 5, 'GBP', 'taken', 0)",
    )
    .await;
    assert_eq!(broken(&f).await, ["each_key_is_charged_once"]);
}

#[tokio::test]
async fn money_kept_for_a_failed_payment_is_found() {
    let f = charged().await;
    tamper(
        &f.store.store,
        "UPDATE payments SET status = 'failed', failure_code = 'payment_declined', \
         gateway_reference = NULL WHERE status = 'completed'",
    )
    .await;
    assert_eq!(broken(&f).await, ["each_key_is_charged_once"]);
}
