//! Calling orders off, at each moment of their fulfilment.

use cleave_inventory_contract::port::HoldingState;
use cleave_saga::SagaStatus;
use cleave_tests::snapshots::masked;
use cleave_vocabulary::{IdSource, OrderId, UserId, UuidV7Ids};
use cleave_web::Role;
use serde_json::{Value, json};

use super::shop::{Gate, Then};
use super::world::{World, body, held_at};

/// Opens the gate once the order is being called off: the request is written
/// down before the call under way has ended.
pub(super) async fn open_once_asked(world: &World, id: OrderId, gate: &Gate) {
    world
        .order_until(id, |order| order["allowed_actions"] == json!([]))
        .await;
    gate.open();
}

fn path(id: OrderId) -> String {
    format!("/api/v1/orders/{id}/cancel")
}

#[tokio::test]
async fn what_was_done_is_undone_whatever_was_under_way() {
    for (operation, commands) in [
        ("reserve", &["reserve", "release"][..]),
        ("charge", &["reserve", "charge", "refund", "release"][..]),
    ] {
        let (world, id, gate) = held_at(operation).await;
        let asked = world
            .post(&path(id))
            .json(&json!({"reason": "Changed my mind."}));
        let (told, ()) = futures::join!(asked.send(), open_once_asked(&world, id, &gate));
        let told = told.expect(200);
        let expected = json!({"reason": "cancelled_by_customer", "detail": "Changed my mind."});
        assert_eq!(told.json["cancellation"], expected);
        assert_eq!(told.json["status"], "cancelled", "{operation}");
        assert_eq!(told.header("etag"), format!("\"{}\"", told.json["version"]));
        assert_eq!(world.shop.commands(), commands);
        assert_eq!(world.shop.holding(id), Some(HoldingState::Released));
        assert_eq!(world.shop.kept(id).1, 0);
        if operation == "charge" {
            world.quiet().await;
            insta::assert_json_snapshot!("cancelled", masked(&world.order(id).await));
        }
        world.close().await;
    }
}

#[tokio::test]
async fn a_payment_that_waits_is_not_waited_for() {
    let world = World::open().await;
    world.shop.script("charge", (0..10_000).map(|_| Then::Fail));
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    world.saga_until(id, SagaStatus::Waiting).await;
    let told = world.post(&path(id)).send().await.expect(200);
    assert_eq!(
        told.json["cancellation"],
        json!({"reason": "cancelled_by_customer", "detail": null})
    );
    assert_eq!(world.shop.holding(id), Some(HoldingState::Released));
    world.close().await;
}

#[tokio::test]
async fn a_paid_order_is_not_called_off() {
    for operation in ["take", "schedule"] {
        let (world, id, gate) = held_at(operation).await;
        let refused = world.post(&path(id)).send().await.expect(409);
        assert_eq!(refused.json["code"], "order_not_cancellable");
        gate.open();
        world.until_shipment(id).await;
        world.close().await;
    }
}

#[tokio::test]
async fn neither_is_one_that_is_over() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    let told = world.place_and_wait(&body(&[(tea, 2)])).await;
    let id: OrderId = told.text("id").parse().expect("an id");
    world.shop.dispatch(id).await;
    assert_eq!(
        world.post(&path(id)).send().await.problem(409),
        "order_not_cancellable"
    );
    world
        .shop
        .script("charge", [Then::Refuse("payment_declined", "No.")]);
    let told = world.place_and_wait(&body(&[(tea, 2)])).await;
    assert_eq!(told.json["status"], "cancelled");
    let id = told.text("id").parse().expect("an id");
    let refused = world.post(&path(id)).send().await.expect(409);
    insta::assert_json_snapshot!("not_cancellable", masked(&refused.json));
    world.close().await;
}

#[tokio::test]
async fn an_order_that_is_being_called_off_may_be_called_off_again() {
    let (world, id, gate) = held_at("charge").await;
    let cancel = |reason: &str| {
        world
            .post(&path(id))
            .json(&json!({"reason": reason}))
            .send()
    };
    let again = async {
        world
            .order_until(id, |order| order["allowed_actions"] == json!([]))
            .await;
        let (second, ()) = futures::join!(cancel("Second."), async { gate.open() });
        second
    };
    let (first, second) = futures::join!(cancel("First."), again);
    let first = first.expect(200);
    // The second may come when it is all over, too late.
    if second.status == 200 {
        assert_eq!(second.json, first.json);
    } else {
        assert_eq!(second.problem(409), "order_not_cancellable");
    }
    assert_eq!(first.json["cancellation"]["detail"], "First.");
    world.close().await;
}

#[tokio::test]
async fn a_repeated_cancellation_is_answered_with_what_came_of_it() {
    let (world, id, gate) = held_at("charge").await;
    gate.open();
    let cancel = || world.post(&path(id)).key("k-1").json(&json!({})).send();
    let (world_path, first) = (path(id), cancel().await);
    if first.status == 409 {
        // The charge came first; then that is the outcome, and stays it.
        let again = cancel().await;
        assert_eq!(again.json, first.json);
        assert_eq!(again.header("idempotency-replayed"), "true");
        world.until_shipment(id).await;
    } else {
        let again = cancel().await.expect(200);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.json, first.json);
        let other = world
            .post(&world_path)
            .key("k-1")
            .json(&json!({"reason": "x"}));
        assert_eq!(other.send().await.problem(422), "idempotency_key_reused");
    }
    world.quiet().await;
    world.close().await;
}

#[tokio::test]
async fn an_operator_calls_an_order_off_as_one() {
    let (world, id, gate) = held_at("reserve").await;
    let admin = UserId::from_uuid(UuidV7Ids.uuid());
    let asked = world.api.post(&path(id)).caller(admin, Role::Admin).send();
    let (told, ()) = futures::join!(asked, open_once_asked(&world, id, &gate));
    let told = told.expect(200);
    assert_eq!(told.json["cancellation"]["reason"], "cancelled_by_operator");
    world.close().await;
}

#[tokio::test]
async fn somebody_elses_order_does_not_exist() {
    let (world, id, gate) = held_at("reserve").await;
    let other = UserId::from_uuid(UuidV7Ids.uuid());
    let told = world
        .api
        .post(&path(id))
        .caller(other, Role::Customer)
        .send()
        .await;
    assert_eq!(told.problem(404), "not_found");
    for path in [
        format!("/api/v1/orders/{id}"),
        format!("/api/v1/orders/{id}/timeline"),
        format!("/api/v1/orders/{id}/events"),
    ] {
        let told = world
            .api
            .get(&path)
            .caller(other, Role::Customer)
            .send()
            .await;
        assert_eq!(told.problem(404), "not_found", "{path}");
    }
    gate.open();
    world.until_shipment(id).await;
    world.close().await;
}

#[tokio::test]
async fn a_cancellation_that_takes_long_is_answered_with_the_order_as_it_is() {
    let world =
        World::with(|settings| settings.cancel_wait = std::time::Duration::from_millis(1)).await;
    let gate = Gate::new();
    world.shop.script("reserve", [Then::Wait(gate.clone())]);
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    gate.reached().await;
    let told = world.post(&path(id)).send().await.expect(200);
    assert_eq!(told.json["status"], "pending");
    assert_eq!(told.json["cancellation"], Value::Null);
    assert_eq!(told.json["allowed_actions"], json!([]));
    gate.open();
    world.until_cancelled(id).await;
    world.close().await;
}

#[tokio::test]
async fn the_reason_has_its_bounds() {
    let (world, id, gate) = held_at("reserve").await;
    for reason in ["", "  ", &"x".repeat(501)] {
        let told = world
            .post(&path(id))
            .json(&json!({"reason": reason}))
            .send()
            .await;
        assert_eq!(told.problem(422), "validation_failed", "{reason:?}");
    }
    gate.open();
    world.until_shipment(id).await;
    world.close().await;
}
