//! The program dies in the middle of a call: what it was about to do is written
//! down, what came of it is not. Started again, it brings the order to the very
//! end that it would have had.

use std::time::Duration;

use cleave_saga::{SagaStatus, Takeup};
use cleave_shipping_contract::port::SHIPPING_REFUSED;

use super::fulfilment::{fulfilled, undone};
use super::shop::{Gate, Then};
use super::world::{World, body};

/// Before a call has its effect, and between that and its answer.
const MOMENTS: [fn(Gate) -> Then; 2] = [Then::Hang, Then::DoAndHang];

#[tokio::test]
async fn within_any_step_the_order_is_fulfilled_all_the_same() {
    for step in ["reserve", "charge", "take", "schedule"] {
        for moment in MOMENTS {
            let mut world = World::open().await;
            let gate = Gate::new();
            world.shop.script(step, [moment(gate.clone())]);
            let tea = world.shop.sells("TEA", 450, 10);
            let id = world.place(&body(&[(tea, 2)])).await;
            gate.reached().await;
            world.crash().await;
            world.saga_until(id, SagaStatus::Completed).await;
            world.quiet().await;
            fulfilled(&world, &world.order(id).await);
            world.close().await;
        }
    }
}

#[tokio::test]
async fn within_any_compensation_the_order_is_undone_all_the_same() {
    for undo in ["refund", "release"] {
        for moment in MOMENTS {
            let mut world = World::open().await;
            let gate = Gate::new();
            let refused = Then::Refuse(SHIPPING_REFUSED, "We do not go there.");
            world.shop.script("schedule", [refused]);
            world.shop.script(undo, [moment(gate.clone())]);
            let tea = world.shop.sells("TEA", 450, 10);
            let id = world.place(&body(&[(tea, 2)])).await;
            gate.reached().await;
            world.crash().await;
            world.saga_until(id, SagaStatus::Compensated).await;
            world.quiet().await;
            let order = world.order(id).await;
            undone(
                &world,
                &order,
                "shipping_refused",
                Some("We do not go there."),
            );
            assert_eq!(order["payment"]["status"], "refunded");
            world.close().await;
        }
    }
}

#[tokio::test]
async fn while_a_parcel_is_called_off_the_order_is_undone_all_the_same() {
    for moment in MOMENTS {
        let mut world = World::with(|settings| {
            // Long enough to be found waiting.
            settings.steps.backoff = Duration::from_mins(1);
            settings.steps.backoff_limit = Duration::from_mins(1);
        })
        .await;
        let gate = Gate::new();
        world.shop.script("schedule", [Then::Fail]);
        world.shop.script("cancel_shipment", [moment(gate.clone())]);
        let tea = world.shop.sells("TEA", 450, 10);
        let id = world.place(&body(&[(tea, 2)])).await;
        let waiting = world.saga_until(id, SagaStatus::Waiting).await;
        let taken = world.sagas.take_up(waiting.id, Takeup::Compensate).await;
        taken.expect("taken up");
        gate.reached().await;
        world.crash().await;
        world.saga_until(id, SagaStatus::Compensated).await;
        world.quiet().await;
        undone(
            &world,
            &world.order(id).await,
            "cancelled_by_operator",
            None,
        );
        world.close().await;
    }
}

#[tokio::test]
async fn a_charge_that_is_answered_long_after_is_taken_once() {
    let world = World::with(|settings| {
        settings.payment.time_limit = Duration::from_millis(50);
    })
    .await;
    let gate = Gate::new();
    world.shop.script("charge", [Then::Wait(gate.clone())]);
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    world.saga_until(id, SagaStatus::Completed).await;
    // Nobody waits for it any more; what it brings was done long ago.
    gate.open();
    world.quiet().await;
    fulfilled(&world, &world.order(id).await);
    world.close().await;
}
