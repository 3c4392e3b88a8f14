//! Calling shipments off, before and after and meanwhile.

use cleave_shipping_contract::events::ShipmentCancelled;
use cleave_tests::staging::Stage;
use cleave_vocabulary::KeyedOutcome;
use std::time::Duration;

use super::fixture::{Fixture, assert_failed, refused};
use super::rounds::make_rounds;

#[tokio::test]
async fn a_shipment_is_called_off_before_the_pickup() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    let scheduled = f.schedule(&command).await.expect("scheduled");
    for _ in 0..2 {
        let cancelled = f.cancel(&command).await.expect("cancelled");
        assert_eq!(cancelled.shipment_id, Some(scheduled.shipment_id));
    }
    assert_eq!(f.status(command.order_id).await, "cancelled");
    assert_eq!(
        f.events().await,
        ["shipment.scheduled", "shipment.cancelled"]
    );
    let said: ShipmentCancelled = f.envelopes().await[1].decode().expect("shipment.cancelled");
    assert_eq!(said.shipment_id, scheduled.shipment_id);
    assert!(f.carrier.held.lock().is_empty());

    make_rounds(&f, Duration::from_secs(60)).await;
    assert_eq!(f.status(command.order_id).await, "cancelled");
    f.audit().await;
}

#[tokio::test]
async fn what_the_carrier_has_picked_up_is_not_called_off() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    f.schedule(&command).await.expect("scheduled");
    make_rounds(&f, Duration::from_secs(2)).await;
    assert_eq!(f.status(command.order_id).await, "in_transit");
    assert_eq!(refused(f.cancel(&command).await), "already_dispatched");
    make_rounds(&f, Duration::from_secs(5)).await;
    assert_eq!(refused(f.cancel(&command).await), "already_dispatched");
    assert_eq!(f.status(command.order_id).await, "delivered");
}

#[tokio::test]
async fn where_nothing_was_booked_a_late_booking_is_refused() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    for _ in 0..2 {
        let cancelled = f.cancel(&command).await.expect("a tombstone");
        assert_eq!(cancelled.shipment_id, None);
    }
    for _ in 0..2 {
        assert_eq!(refused(f.schedule(&command).await), "already_cancelled");
    }
    assert_eq!(f.resolve(&command).await, KeyedOutcome::Never);
    assert_eq!(f.status(command.order_id).await, "");
    assert_eq!(f.events().await, Vec::<String>::new());
    f.audit().await;
}

#[tokio::test]
async fn a_booking_that_a_crash_kept_from_the_books_is_called_off_too() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    f.crash_at(Stage::After, &command).await;
    assert_eq!(f.carrier.held.lock().len(), 1);
    f.cancel(&command).await.expect("called off");
    assert!(f.carrier.held.lock().is_empty());
    assert_eq!(refused(f.schedule(&command).await), "already_cancelled");
    assert!(f.carrier.held.lock().is_empty());
    f.audit().await;
}

#[tokio::test]
async fn a_booking_that_is_overtaken_by_its_undoing_is_refused() {
    for stage in [Stage::Before, Stage::After] {
        let f = Fixture::new().await;
        let command = f.command("N1 7AA");
        f.carrier.gate.set(stage);
        let late = f.scheduling(&command);
        f.carrier.gate.reached.notified().await;
        f.cancel(&command).await.expect("called off");
        f.carrier.gate.set(Stage::Open);
        f.carrier.gate.release.notify_one();
        let outcome = late.await.expect("no panic");
        assert_eq!(refused(outcome), "already_cancelled");
        assert!(f.carrier.held.lock().is_empty());
        assert_eq!(f.status(command.order_id).await, "");
        f.audit().await;
    }
}

#[tokio::test]
async fn an_absent_carrier_calls_nothing_off() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    f.schedule(&command).await.expect("scheduled");
    f.carrier.gate.set(Stage::Away);
    assert_failed(f.cancel(&command).await);
    assert_eq!(f.status(command.order_id).await, "scheduled");
    f.carrier.gate.set(Stage::Open);
    f.cancel(&command).await.expect("cancelled");
    assert_eq!(f.status(command.order_id).await, "cancelled");
}
