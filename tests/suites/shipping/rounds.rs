//! The simulated carrier's rounds.

use cleave_tests::stores::over_postgres;
use std::time::Duration;

use cleave_shipping_contract::events::{ShipmentDelivered, ShipmentDispatched};
use cleave_store::{Tx, Unit};
use cleave_tests::snapshots::masked;
use cleave_vocabulary::Clock;
use sea_orm::{ConnectionTrait, Statement};
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, impatient, refused};

/// Moves the clock on and lets the carrier make its rounds until nothing is due.
pub(super) async fn make_rounds(f: &Fixture, later: Duration) {
    f.clock.advance(later);
    let stop = CancellationToken::new();
    // A second instance over the same store, as a second replica would be.
    let settings = impatient();
    let needs = cleave_hosting::Needs {
        store: f.store.store.clone(),
        clock: std::sync::Arc::new(f.clock.clone()),
        ids: f.ids.clone(),
        idempotency: cleave_web::IdempotencyOptions::default(),
    };
    let other = cleave_shipping::build(cleave_shipping::Deps { needs, settings });
    let task = other.context.tasks.into_iter().next().expect("a task");
    assert_eq!(task.name, "make_rounds");
    let running = tokio::spawn((task.run)(stop.clone()));
    let now = f.clock.now().as_micros();
    while count(f, format!("due_at <= {now}")).await > 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.expect("ends when told to");
}

/// How many shipments there are of which `condition` is true.
async fn count(f: &Fixture, condition: String) -> i64 {
    let query = async move |tx: &Tx| -> Unit<i64> {
        let sql = format!("SELECT COUNT(*) AS n FROM shipments WHERE {condition}");
        let statement = Statement::from_string(tx.get_database_backend(), sql);
        let row = tx.query_one_raw(statement).await?.expect("a row");
        Ok(row.try_get("", "n")?)
    };
    f.store.store.read(query).await.expect("counted")
}

#[tokio::test]
async fn a_shipment_is_picked_up_and_then_delivered_in_its_time() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    let scheduled = f.schedule(&command).await.expect("scheduled");
    for (later, status) in [
        (Duration::from_millis(1999), "scheduled"),
        (Duration::from_millis(1), "in_transit"),
        (Duration::from_millis(4999), "in_transit"),
        (Duration::from_millis(1), "delivered"),
        (Duration::from_hours(1), "delivered"),
    ] {
        make_rounds(&f, later).await;
        assert_eq!(f.status(command.order_id).await, status);
    }
    let events = f.envelopes().await;
    let kinds: Vec<_> = events.iter().map(|event| &*event.kind).collect();
    assert_eq!(
        kinds,
        [
            "shipment.scheduled",
            "shipment.dispatched",
            "shipment.delivered"
        ]
    );
    let sent: ShipmentDispatched = events[1].decode().expect("shipment.dispatched");
    let came: ShipmentDelivered = events[2].decode().expect("shipment.delivered");
    assert_eq!(sent.tracking_number, scheduled.tracking_number);
    assert_eq!(came.order_id, command.order_id);
    let took = came.delivered_at.since(sent.dispatched_at);
    assert_eq!(took, Duration::from_secs(5));
    f.audit().await;
}

#[tokio::test]
async fn never_waits_for_an_admin() {
    let mut settings = impatient();
    settings.simulated.pickup_after = None;
    let f = Fixture::with(settings).await;
    let command = f.command("N1 7AA");
    f.schedule(&command).await.expect("scheduled");
    make_rounds(&f, Duration::from_hours(24)).await;
    assert_eq!(f.status(command.order_id).await, "scheduled");
}

#[tokio::test]
async fn hundreds_are_moved_in_a_few_units() {
    const MANY: usize = 600;
    let f = Fixture::new().await;
    for _ in 0..MANY {
        f.schedule(&f.command("N1 7AA")).await.expect("scheduled");
    }
    let before = f.store.store.write_stats();
    make_rounds(&f, Duration::from_secs(2)).await;
    let after = f.store.store.write_stats();
    assert_eq!(after.units - before.units, 3, "256 to a unit");
    let dispatched = f.events().await;
    let dispatched = dispatched
        .iter()
        .filter(|kind| *kind == "shipment.dispatched");
    assert_eq!(dispatched.count(), MANY);
    assert_eq!(count(&f, "status = 'in_transit'".to_owned()).await, 600);

    make_rounds(&f, Duration::from_secs(5)).await;
    assert_eq!(count(&f, "status = 'delivered'".to_owned()).await, 600);
    let events = f.events().await;
    for kind in ["shipment.dispatched", "shipment.delivered"] {
        let told = events.iter().filter(|event| *event == kind);
        assert_eq!(told.count(), MANY, "{kind}");
    }
    f.audit().await;
}

#[tokio::test]
async fn two_replicas_move_a_shipment_once() {
    let f = Fixture::new().await;
    for _ in 0..50 {
        f.schedule(&f.command("N1 7AA")).await.expect("scheduled");
    }
    f.clock.advance(Duration::from_secs(2));
    let round = || make_rounds(&f, Duration::ZERO);
    tokio::join!(round(), round(), round());
    assert_eq!(f.events().await.len(), 100);
    f.audit().await;
}

#[tokio::test]
async fn finished_shipments_cost_a_round_nothing() {
    if over_postgres() {
        // The plan below is told in SQLite's words; the partial index is the same.
        return;
    }
    let f = Fixture::new().await;
    f.schedule(&f.command("N1 7AA")).await.expect("scheduled");
    let plan = async move |tx: &Tx| -> Unit<Vec<String>> {
        let sql = "EXPLAIN QUERY PLAN SELECT id FROM shipments \
             WHERE status = 'scheduled' AND due_at <= 1 ORDER BY due_at LIMIT 5";
        let statement = Statement::from_string(tx.get_database_backend(), sql);
        let rows = tx.query_all_raw(statement).await?;
        let details = rows.iter().map(|row| row.try_get("", "detail"));
        Ok(details.collect::<Result<_, _>>()?)
    };
    let plan = f.store.store.read(plan).await.expect("a plan").join("\n");
    assert!(
        plan.contains("shipments_due (status=? AND due_at<?)"),
        "{plan}"
    );
    assert!(!plan.contains("SCAN") && !plan.contains("B-TREE"), "{plan}");
}

#[tokio::test]
async fn the_events_json_is_frozen() {
    let f = Fixture::new().await;
    f.schedule(&f.command("N1 7AA")).await.expect("scheduled");
    make_rounds(&f, Duration::from_secs(2)).await;
    make_rounds(&f, Duration::from_secs(5)).await;
    let refusal = f.schedule(&f.command("00000")).await;
    assert_eq!(refused(refusal), "shipping_refused");
    let called_off = f.command("N1 7AA");
    f.schedule(&called_off).await.expect("scheduled");
    f.cancel(&called_off).await.expect("cancelled");
    let published = f.published().await;
    insta::assert_json_snapshot!("events", masked(&published));
}
