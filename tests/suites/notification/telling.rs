//! From events to queued messages.

use cleave_messaging::{HandleError, Handled};
use cleave_order_contract::events::{
    OrderCancelled, OrderConfirmed, OrderDelivered, OrderPaid, OrderShipped,
};
use cleave_tests::snapshots::masked;
use cleave_vocabulary::Event;
use cleave_web::Role;
use insta::assert_json_snapshot;
use serde_json::value::to_raw_value;

use super::{World, created, ids, paid};

#[tokio::test]
async fn everything_that_happens_to_an_order_is_told_to_its_owner() {
    let world = World::new().await;
    let user_id = world.recipient("ada@example.com").await;
    let (order_id, lost) = (ids().next(), ids().next());
    world.tell(&created(order_id, user_id)).await;
    world.tell(&OrderConfirmed { order_id, user_id }).await;
    world.tell(&paid(order_id, user_id)).await;
    let shipment_id = ids().next();
    let tracking_number = "SIM-0001".into();
    let shipped = OrderShipped {
        order_id,
        user_id,
        shipment_id,
        tracking_number,
    };
    world.tell(&shipped).await;
    let delivered = OrderDelivered {
        order_id,
        user_id,
        shipment_id,
    };
    world.tell(&delivered).await;
    let cancelled = OrderCancelled {
        order_id: lost,
        user_id,
        reason: "payment_declined".into(),
        detail: Some("do_not_honour".into()),
    };
    world.tell(&cancelled).await;

    let ask = world.api.get("/api/v1/notifications");
    let told = ask.caller(user_id, Role::Customer).send().await.expect(200);
    assert_json_snapshot!("every_message", masked(&told.json));
}

#[tokio::test]
async fn an_event_that_comes_again_is_told_once() {
    let world = World::new().await;
    let user_id = world.recipient("ada@example.com").await;
    let event = world.tell(&created(ids().next(), user_id)).await;
    world.handle(&event).await.expect("handled");
    assert_eq!(world.count("queued").await, 2);
}

#[tokio::test]
async fn a_registration_that_comes_again_welcomes_once() {
    let world = World::new().await;
    let event = world.tell(&super::new_user("ada@example.com")).await;
    world.handle(&event).await.expect("handled");
    assert_eq!(world.count("queued").await, 1);
}

#[tokio::test]
async fn an_event_that_makes_no_sense_is_poison() {
    let world = World::new().await;
    let mut event = world.event(&paid(ids().next(), ids().next()));
    event.data = to_raw_value(&serde_json::json!({"order_id": 7})).expect("JSON");
    let handled = world.handle(&event).await;
    assert!(
        matches!(handled, Err(HandleError::Poison(_))),
        "{handled:?}"
    );
    assert_eq!(world.count("queued").await, 0);
}

#[tokio::test]
async fn fields_of_a_later_version_do_no_harm() {
    let world = World::new().await;
    let paid = paid(ids().next(), ids().next());
    let mut event = world.event(&paid);
    let mut payload = serde_json::to_value(&paid).expect("JSON");
    payload["loyalty_points"] = 3.into();
    event.data = to_raw_value(&payload).expect("JSON");
    assert_eq!(event.kind, OrderPaid::TYPE);
    assert_eq!(world.handle(&event).await.expect("handled"), Handled::Done);
    assert_eq!(world.count("queued").await, 1);
}
