//! The auditor finds what must not be.

use std::time::Duration;

use cleave_tests::audits::{self, looked, tamper};

use super::fixture::Fixture;
use super::rounds::make_rounds;

/// The checks that are broken.
async fn broken(f: &Fixture) -> Vec<String> {
    audits::broken(&*f.built.context.auditor).await
}

async fn shipped() -> Fixture {
    let f = Fixture::new().await;
    f.schedule(&f.command("N1 7AA")).await.expect("scheduled");
    make_rounds(&f, Duration::from_secs(2)).await;
    f.schedule(&f.command("N1 7AA")).await.expect("scheduled");
    assert_eq!(broken(&f).await, Vec::<String>::new());
    f
}

#[tokio::test]
async fn everything_is_looked_at() {
    let f = shipped().await;
    let checks = f.built.context.auditor.audit().await.expect("audit");
    let expected = [
        ("an_order_is_shipped_once", 2),
        ("shipment_status_agrees_with_its_times", 2),
    ];
    assert_eq!(looked(&checks), expected);
}

#[tokio::test]
async fn a_status_that_nobody_knows_or_that_its_times_deny_is_found() {
    for sql in [
        "UPDATE shipments SET status = 'lost' WHERE status = 'scheduled'",
        "UPDATE shipments SET status = 'delivered' WHERE status = 'scheduled'",
        "UPDATE shipments SET status = 'scheduled' WHERE status = 'in_transit'",
        "UPDATE shipments SET status = 'cancelled' WHERE status = 'scheduled'",
        "UPDATE shipments SET tracking_number = NULL",
    ] {
        let f = shipped().await;
        tamper(&f.store.store, sql).await;
        let found = broken(&f).await;
        assert_eq!(found, ["shipment_status_agrees_with_its_times"], "{sql}");
    }
}

#[tokio::test]
async fn a_second_shipment_of_an_order_is_found() {
    let f = shipped().await;
    // The schema would not let it in.
    tamper(
        &f.store.store,
        "CREATE TABLE copies AS SELECT * FROM shipments; \
         UPDATE copies SET id = randomblob(16), schedule_key = 'another'; \
         INSERT INTO copies SELECT * FROM shipments; \
         DROP TABLE shipments; ALTER TABLE copies RENAME TO shipments; \
         DELETE FROM shipments WHERE status = 'scheduled' AND schedule_key = 'another'",
    )
    .await;
    let checks = f.built.context.auditor.audit().await.expect("audit");
    let looked: Vec<_> = checks.iter().map(|check| check.violations.len()).collect();
    assert_eq!(looked, [1, 0]);
    assert_eq!(checks[0].checked, 3);
}

#[tokio::test]
async fn more_than_a_page_of_shipments_is_looked_at() {
    const MANY: u64 = 1_001;
    let f = Fixture::new().await;
    for _ in 0..MANY {
        f.schedule(&f.command("N1 7AA")).await.expect("scheduled");
    }
    let checks = f.built.context.auditor.audit().await.expect("audit");
    let checked: Vec<_> = checks.iter().map(|check| check.checked).collect();
    assert_eq!(checked, [MANY, MANY]);
}
