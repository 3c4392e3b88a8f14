//! Each step of fulfilment, refused, failing, and not answered, and where the
//! order, its stock, its money and its parcel are in the end.

use std::time::Duration;

use cleave_inventory_contract::port::{HoldingState, INSUFFICIENT_INVENTORY};
use cleave_payment_contract::port::PAYMENT_DECLINED;
use cleave_saga::{SagaStatus, Takeup};
use cleave_shipping_contract::port::{ALREADY_DISPATCHED, SHIPPING_REFUSED};
use serde_json::{Value, json};

use super::shop::{Gate, Then};
use super::world::{World, body, held_at, id_of};

/// Places an order while the script has it so, and waits for its end.
async fn fate_of(script: Vec<(&'static str, Vec<Then>)>) -> (World, Value) {
    let world = World::open().await;
    for (operation, then) in script {
        world.shop.script(operation, then);
    }
    let tea = world.shop.sells("TEA", 450, 10);
    let told = world.place_and_wait(&body(&[(tea, 2)])).await;
    world.quiet().await;
    let order = world.order(id_of(&told)).await;
    (world, order)
}

pub(super) fn fulfilled(world: &World, order: &Value) {
    let id = order["id"].as_str().expect("an id").parse().expect("an id");
    assert_eq!(order["status"], "paid", "{order}");
    assert_eq!(order["payment"]["status"], "completed");
    assert_eq!(order["shipment"]["status"], "scheduled");
    assert_eq!(order["shipment"]["tracking_number"], "TRACK-1");
    assert_eq!(order["cancellation"], Value::Null);
    assert_eq!(order["allowed_actions"], json!([]));
    assert_eq!(world.shop.holding(id), Some(HoldingState::Taken));
    assert_eq!(world.shop.kept(id), (1, 900));
    assert_eq!(
        world.shop.shipment(id).map(|id| id.to_string()).as_deref(),
        order["shipment"]["id"].as_str()
    );
}

/// Cancelled for this reason, with nothing held, nothing kept, and no parcel.
pub(super) fn undone(world: &World, order: &Value, reason: &str, detail: Option<&str>) {
    let id = order["id"].as_str().expect("an id").parse().expect("an id");
    assert_eq!(order["status"], "cancelled", "{order}");
    assert_eq!(
        order["cancellation"],
        json!({"reason": reason, "detail": detail})
    );
    assert_eq!(order["allowed_actions"], json!([]));
    assert!(
        matches!(
            world.shop.holding(id),
            None | Some(HoldingState::Released | HoldingState::Expired)
        ),
        "{:?}",
        world.shop.holding(id)
    );
    assert_eq!(world.shop.kept(id).1, 0);
    assert_eq!(world.shop.shipment(id), None);
}

#[tokio::test]
async fn an_order_is_reserved_charged_taken_and_booked() {
    let (world, order) = fate_of(vec![]).await;
    fulfilled(&world, &order);
    assert_eq!(
        world.shop.commands(),
        ["reserve", "charge", "take", "schedule"]
    );
    let id = order["id"].as_str().expect("an id").parse().expect("an id");
    world.shop.dispatch(id).await;
    let shipped = world.order(id).await;
    assert_eq!(shipped["status"], "shipped");
    assert_eq!(shipped["shipment"]["status"], "in_transit");
    world.shop.deliver(id).await;
    let delivered = world.order(id).await;
    assert_eq!(delivered["status"], "delivered");
    assert_eq!(delivered["shipment"]["status"], "delivered");
    // Heard once more, it changes nothing.
    world.shop.dispatch(id).await;
    world.shop.deliver(id).await;
    assert_eq!(world.order(id).await, delivered);
    world.close().await;
}

#[tokio::test]
async fn stock_that_is_gone_cancels_the_order() {
    let refused = Then::Refuse(INSUFFICIENT_INVENTORY, "There is none left.");
    let (world, order) = fate_of(vec![("reserve", vec![refused])]).await;
    undone(
        &world,
        &order,
        "insufficient_inventory",
        Some("There is none left."),
    );
    assert_eq!(order["payment"], Value::Null);
    assert_eq!(world.shop.commands(), ["reserve"]);
    world.close().await;
}

#[tokio::test]
async fn a_declined_payment_gives_the_stock_back() {
    let declined = Then::Refuse(PAYMENT_DECLINED, "Your card was declined.");
    let (world, order) = fate_of(vec![("charge", vec![declined])]).await;
    undone(
        &world,
        &order,
        "payment_declined",
        Some("Your card was declined."),
    );
    assert_eq!(order["payment"]["status"], "failed");
    assert_eq!(world.shop.commands(), ["reserve", "charge", "release"]);
    world.close().await;
}

#[tokio::test]
async fn a_carrier_that_says_no_gives_money_and_stock_back() {
    let refused = Then::Refuse(SHIPPING_REFUSED, "We do not go there.");
    let (world, order) = fate_of(vec![("schedule", vec![refused])]).await;
    undone(
        &world,
        &order,
        "shipping_refused",
        Some("We do not go there."),
    );
    assert_eq!(order["payment"]["status"], "refunded");
    assert_eq!(order["shipment"], Value::Null);
    assert_eq!(
        world.shop.commands(),
        ["reserve", "charge", "take", "schedule", "refund", "release"]
    );
    world.close().await;
}

#[tokio::test]
async fn each_step_that_fails_is_tried_again() {
    for step in ["reserve", "charge", "take", "schedule"] {
        let (world, order) = fate_of(vec![(step, vec![Then::Fail, Then::Fail])]).await;
        fulfilled(&world, &order);
        assert_eq!(world.shop.times(step), 3, "{step}");
        world.close().await;
    }
}

#[tokio::test]
async fn each_step_waits_for_a_provider_that_stays_away() {
    for step in ["reserve", "charge", "take", "schedule"] {
        // More often than there are attempts.
        let away = (0..6).map(|_| Then::Fail).collect();
        let (world, order) = fate_of(vec![(step, away)]).await;
        fulfilled(&world, &order);
        world.close().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_and_not_guessed() {
    for step in ["reserve", "charge", "schedule"] {
        let (world, order) = fate_of(vec![(step, vec![Then::LoseAnswer])]).await;
        fulfilled(&world, &order);
        assert_eq!(world.shop.times(step), 1, "{step} is not done again");
        world.close().await;
    }
}

#[tokio::test]
async fn a_command_that_is_lost_is_given_again() {
    for step in ["reserve", "charge", "take", "schedule"] {
        let (world, order) = fate_of(vec![(step, vec![Then::LoseCommand])]).await;
        fulfilled(&world, &order);
        assert_eq!(world.shop.times(step), 2, "{step}");
        world.close().await;
    }
}

#[tokio::test]
async fn stock_taken_without_an_answer_is_taken_once() {
    let (world, order) = fate_of(vec![("take", vec![Then::LoseAnswer])]).await;
    fulfilled(&world, &order);
    assert_eq!(
        world.shop.commands(),
        ["reserve", "charge", "take", "take", "schedule"]
    );
    world.close().await;
}

#[tokio::test]
async fn an_order_shows_how_its_payment_stands_while_it_waits() {
    for (fault, asked, standing) in [
        (Then::Fail, "resolve_charge", "queued"),
        (Then::LoseCommand, "resolve_charge", "unknown"),
    ] {
        let world = World::open().await;
        let gate = Gate::new();
        world
            .shop
            .script("charge", [fault, Then::Wait(gate.clone())]);
        world.shop.script(asked, [Then::Fail]);
        let tea = world.shop.sells("TEA", 450, 10);
        let id = world.place(&body(&[(tea, 2)])).await;
        let waiting = world
            .order_until(id, |order| order["payment"].is_object())
            .await;
        assert_eq!(waiting["status"], "confirmed");
        assert_eq!(waiting["payment"]["status"], standing);
        assert_eq!(waiting["allowed_actions"], json!(["cancel"]));
        gate.open();
        let order = world.until_shipment(id).await;
        fulfilled(&world, &order);
        world.close().await;
    }
}

#[tokio::test]
async fn stock_that_expires_while_the_payment_waits_cancels_the_order() {
    let world = World::open().await;
    // Away until the end of time.
    world.shop.script("charge", (0..10_000).map(|_| Then::Fail));
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    world.saga_until(id, SagaStatus::Waiting).await;
    world.shop.expire(id).await;
    let order = world.until_cancelled(id).await;
    undone(&world, &order, "expired", None);
    world.close().await;
}

#[tokio::test]
async fn stock_that_expires_before_it_is_taken_gives_the_money_back() {
    let (world, id, gate) = held_at("charge").await;
    world.shop.expire(id).await;
    gate.open();
    let order = world.until_cancelled(id).await;
    world.quiet().await;
    undone(&world, &order, "expired", None);
    assert_eq!(world.order(id).await["payment"]["status"], "refunded");
    assert_eq!(
        world.shop.commands(),
        ["reserve", "charge", "refund", "release"]
    );
    world.close().await;
}

#[tokio::test]
async fn stock_that_is_not_held_when_it_is_to_be_taken_cancels_the_order() {
    let refused = Then::Refuse("reservation_expired", "It is not held any more.");
    let (world, order) = fate_of(vec![("take", vec![refused])]).await;
    undone(&world, &order, "expired", Some("It is not held any more."));
    assert_eq!(
        world.shop.commands(),
        ["reserve", "charge", "take", "refund", "release"]
    );
    world.close().await;
}

#[tokio::test]
async fn a_compensation_that_fails_is_tried_again() {
    let declined = Then::Refuse(SHIPPING_REFUSED, "We do not go there.");
    let (world, order) = fate_of(vec![
        ("schedule", vec![declined]),
        ("refund", vec![Then::Fail, Then::LoseAnswer]),
        ("release", vec![Then::LoseCommand]),
    ])
    .await;
    undone(
        &world,
        &order,
        "shipping_refused",
        Some("We do not go there."),
    );
    world.close().await;
}

#[tokio::test]
async fn a_compensation_that_keeps_failing_waits_for_a_person() {
    let world = World::open().await;
    world
        .shop
        .script("charge", [Then::Refuse(PAYMENT_DECLINED, "Declined.")]);
    world.shop.script("release", (0..3).map(|_| Then::Fail));
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    let stuck = world.saga_until(id, SagaStatus::Stuck).await;
    assert_eq!(world.order(id).await["status"], "confirmed");
    world
        .sagas
        .take_up(stuck.id, Takeup::Retry)
        .await
        .expect("taken up");
    let order = world.until_cancelled(id).await;
    undone(&world, &order, "payment_declined", Some("Declined."));
    world.close().await;
}

#[tokio::test]
async fn each_compensation_of_a_paid_order_may_wait_for_a_person() {
    for undo in ["refund", "release"] {
        let world = World::open().await;
        let refused = Then::Refuse(SHIPPING_REFUSED, "We do not go there.");
        world.shop.script("schedule", [refused]);
        world.shop.script(undo, (0..3).map(|_| Then::Fail));
        let tea = world.shop.sells("TEA", 450, 10);
        let id = world.place(&body(&[(tea, 2)])).await;
        let stuck = world.saga_until(id, SagaStatus::Stuck).await;
        assert_eq!(world.order(id).await["status"], "paid", "{undo}");
        let kept = if undo == "refund" { 900 } else { 0 };
        assert_eq!(world.shop.kept(id), (1, kept), "{undo}");
        assert_eq!(world.shop.holding(id), Some(HoldingState::Taken), "{undo}");
        let taken = world.sagas.take_up(stuck.id, Takeup::Retry).await;
        taken.expect("taken up");
        world.saga_until(id, SagaStatus::Compensated).await;
        world.quiet().await;
        let order = world.order(id).await;
        let detail = Some("We do not go there.");
        undone(&world, &order, "shipping_refused", detail);
        world.close().await;
    }
}

#[tokio::test]
async fn an_operator_may_give_up_on_an_order_that_waits() {
    let world = World::with(|settings| {
        // Long enough to be found waiting.
        settings.steps.backoff = Duration::from_mins(1);
        settings.steps.backoff_limit = Duration::from_mins(1);
    })
    .await;
    world.shop.script("schedule", [Then::Fail]);
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    let waiting = world.saga_until(id, SagaStatus::Waiting).await;
    world
        .sagas
        .take_up(waiting.id, Takeup::Compensate)
        .await
        .expect("taken up");
    let order = world.until_cancelled(id).await;
    world.quiet().await;
    undone(&world, &order, "cancelled_by_operator", None);
    world.close().await;
}

#[tokio::test]
async fn a_parcel_that_is_on_its_way_is_not_called_off() {
    let world = World::open().await;
    world.shop.script("schedule", [Then::LoseAnswer]);
    world
        .shop
        .script("resolve_schedule", (0..3).map(|_| Then::Fail));
    world.shop.script(
        "cancel_shipment",
        (0..2).map(|_| Then::Refuse(ALREADY_DISPATCHED, "gone")),
    );
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    // Whatever became of the answer, the order ends fulfilled.
    let order = world.until_shipment(id).await;
    fulfilled(&world, &order);
    world.close().await;
}

#[tokio::test]
async fn a_carrier_may_be_quicker_than_our_own_commit() {
    let world = World::open().await;
    world.shop.script("schedule", [Then::LoseAnswer]);
    world
        .shop
        .script("resolve_schedule", (0..20).map(|_| Then::Fail));
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    world.saga_until(id, SagaStatus::Waiting).await;
    world.shop.dispatch(id).await;
    let early = world.order(id).await;
    assert_eq!(early["status"], "shipped");
    assert_eq!(early["shipment"]["status"], "in_transit");
    world.saga_until(id, SagaStatus::Completed).await;
    let order = world.order(id).await;
    assert_eq!(order["status"], "shipped");
    assert_eq!(order["shipment"]["status"], "in_transit");
    world.close().await;
}
