//! Booking, each answer of the carrier, each repetition, each crash.

use cleave_shipping_contract::events::{ShipmentRefused, ShipmentScheduled};
use cleave_shipping_contract::port::ScheduleShipment;
use cleave_tests::staging::Stage;
use cleave_vocabulary::KeyedOutcome;

use super::fixture::{Fixture, assert_failed, refused, user};

#[tokio::test]
async fn a_booking_is_made_and_said_so() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    let scheduled = f.schedule(&command).await.expect("scheduled");
    let standing = f.standing(command.order_id).await.expect("a shipment");
    assert_eq!(standing.shipment_id, scheduled.shipment_id);
    assert_eq!(standing.status, "scheduled");

    let [event] = &f.envelopes().await[..] else {
        panic!("one event")
    };
    let said: ShipmentScheduled = event.decode().expect("shipment.scheduled");
    assert_eq!(said.shipment_id, scheduled.shipment_id);
    assert_eq!(said.order_id, command.order_id);
    assert_eq!(said.user_id, user());
    assert_eq!(said.tracking_number, scheduled.tracking_number);
    assert_eq!(event.subject, scheduled.shipment_id.to_string());
    f.audit().await;
}

#[tokio::test]
async fn a_booking_costs_one_unit_of_two_statements() {
    let f = Fixture::new().await;
    f.schedule(&f.command("N1 7AA")).await.expect("warm");
    let (before, reads) = (f.store.store.write_stats(), f.store.store.read_stats());
    f.schedule(&f.command("N1 7AA")).await.expect("scheduled");
    let after = f.store.store.write_stats();
    assert_eq!(after.units - before.units, 1);
    assert_eq!(after.statements - before.statements, 2);
    assert_eq!(f.store.store.read_stats(), reads);
}

#[tokio::test]
async fn the_same_key_gets_the_first_outcome_even_after_a_cancellation() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    let first = f.schedule(&command).await;
    assert_eq!(f.schedule(&command).await, first);
    let booked = first.clone().expect("scheduled");
    assert_eq!(f.resolve(&command).await, KeyedOutcome::Done(booked));
    f.carrier.gate.set(Stage::Away);
    assert_eq!(
        f.schedule(&command).await,
        first,
        "known without the carrier"
    );
    assert_eq!(f.events().await, ["shipment.scheduled"]);
    f.audit().await;
}

#[tokio::test]
async fn a_refused_address_is_refused_for_good() {
    let f = Fixture::new().await;
    let command = f.command("00000");
    for _ in 0..2 {
        assert_eq!(refused(f.schedule(&command).await), "shipping_refused");
    }
    let resolved = f.resolve(&command).await;
    let KeyedOutcome::Refused(refusal) = resolved else {
        panic!("{resolved:?}")
    };
    assert_eq!(refusal.code, "shipping_refused");
    assert_eq!(f.events().await, ["shipment.refused"]);
    let said: ShipmentRefused = f.envelopes().await[0].decode().expect("shipment.refused");
    assert_eq!(said.order_id, command.order_id);
    assert!(said.message.contains("postal code"), "{}", said.message);

    assert_eq!(f.status(command.order_id).await, "");
    let cancelled = f.cancel(&command).await.expect("nothing to cancel");
    assert_eq!(cancelled.shipment_id, None);
    f.audit().await;
}

#[tokio::test]
async fn a_passing_fault_is_retried_within_the_booking() {
    let f = Fixture::new().await;
    let command = f.command("99999");
    f.schedule(&command).await.expect("at the third time");
    let report = f.built.context.guards[0].report();
    assert_eq!((report.calls, report.retries), (3, 2));
    f.schedule(&command).await.expect("still accepted");
    assert_eq!(f.built.context.guards[0].report().retries, 2);
}

#[tokio::test]
async fn an_absent_carrier_is_a_failure_that_leaves_nothing() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    f.carrier.gate.set(Stage::Away);
    assert_failed(f.schedule(&command).await);
    assert_eq!(f.resolve(&command).await, KeyedOutcome::Never);
    f.carrier.gate.set(Stage::Open);
    f.schedule(&command).await.expect("scheduled");
    assert_eq!(f.events().await, ["shipment.scheduled"]);
}

#[tokio::test]
async fn an_order_has_one_booking_and_a_key_one_order() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    f.schedule(&command).await.expect("scheduled");
    let another_key = ScheduleShipment {
        key: "another".to_owned(),
        ..command.clone()
    };
    let another_order = ScheduleShipment {
        order_id: f.ids.next(),
        ..command.clone()
    };
    for other in [another_key, another_order] {
        assert_eq!(refused(f.schedule(&other).await), "schedule_conflict");
    }
    assert_eq!(f.events().await, ["shipment.scheduled"]);
    f.audit().await;
}

#[tokio::test]
async fn many_at_once_with_one_key_book_once() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    let scheduling: Vec<_> = (0..8).map(|_| f.scheduling(&command)).collect();
    let mut shipments = Vec::new();
    for booking in scheduling {
        let scheduled = booking.await.expect("no panic").expect("scheduled");
        shipments.push(scheduled.shipment_id);
    }
    shipments.dedup();
    assert_eq!(shipments.len(), 1);
    assert_eq!(f.events().await, ["shipment.scheduled"]);
    f.audit().await;
}

#[tokio::test]
async fn a_booking_that_a_crash_kept_from_the_books_is_found_by_repeating() {
    let f = Fixture::new().await;
    for stage in [Stage::Before, Stage::After] {
        let command = f.command("N1 7AA");
        f.crash_at(stage, &command).await;
        assert_eq!(f.resolve(&command).await, KeyedOutcome::Never);
        let scheduled = f.schedule(&command).await.expect("scheduled");
        assert_eq!(f.resolve(&command).await, KeyedOutcome::Done(scheduled));
    }
    assert_eq!(f.carrier.held.lock().len(), 2);
    assert_eq!(f.events().await.len(), 2);
    f.audit().await;
}
