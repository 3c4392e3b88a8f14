//! The JSON of this context's events, as it stands in the outbox.

use cleave_tests::snapshots::masked;
use cleave_tests::stores::events_of;
use serde_json::json;

use super::shop::Then;
use super::world::{World, body, id_of};

#[tokio::test]
async fn the_events_json_is_frozen() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    let place = async || {
        let ask = world.post("/api/v1/orders").json(&body(&[(tea, 2)]));
        let ask = ask.header("x-correlation-id", "story-1");
        id_of(&ask.header("prefer", "wait=20").send().await.expect(201))
    };
    let delivered = place().await;
    world.shop.dispatch(delivered).await;
    world.shop.deliver(delivered).await;
    let declined = Then::Refuse("payment_declined", "Your card was declined.");
    world.shop.script("charge", [declined]);
    let cancelled = place().await;
    world.quiet().await;
    // Of the second order, only how it ended is new.
    let told = |order: &str, kind: &str| {
        order == delivered.to_string()
            || order == cancelled.to_string() && kind == "order.cancelled"
    };
    let events = events_of(world.store()).await.into_iter();
    let events: Vec<_> = events
        .filter(|event| told(&event.subject, &event.kind))
        .collect();
    let kinds: Vec<&str> = events.iter().map(|event| &*event.kind).collect();
    assert_eq!(
        kinds,
        [
            "order.created",
            "order.confirmed",
            "order.paid",
            "order.shipped",
            "order.delivered",
            "order.cancelled",
        ]
    );
    insta::assert_json_snapshot!("events", masked(&json!(events)));
    world.close().await;
}
