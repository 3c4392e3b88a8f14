//! The story of an order, read as a whole.

use cleave_tests::snapshots::masked;
use cleave_vocabulary::{Clock as _, OrderId, SystemClock};
use serde_json::Value;

use super::cancel::open_once_asked;
use super::shop::{Gate, Then};
use super::world::{World, body, id_of};

async fn story_of(world: &World, id: OrderId) -> Value {
    world.quiet().await;
    world
        .get(&format!("/api/v1/orders/{id}/timeline"))
        .send()
        .await
        .expect(200)
        .json
}

/// An item to a line: `order step reserve_inventory done 1 {…}`.
pub(super) fn lines(story: &Value) -> Vec<String> {
    let story = masked(story);
    let items = story["items"].as_array().expect("items");
    let line = |item: &Value| {
        let text = |name: &str| match &item[name] {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        ["context", "kind", "name", "outcome", "attempt", "detail"]
            .map(text)
            .join(" ")
    };
    items.iter().map(line).collect()
}

fn in_order_of_time(story: &Value) {
    let items = story["items"].as_array().expect("items");
    let times: Vec<_> = items
        .iter()
        .map(|item| item["at"].as_str().expect("a time"))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

/// Returns in another millisecond than the one in which it was called: what an
/// attempt behind the first leads to is placed by the clocks alone, and events
/// tell no more of their time than that.
async fn a_millisecond_later() {
    let now = || SystemClock.now().as_micros() / 1000;
    let before = now();
    while now() == before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_story_of_an_order_that_arrives() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    let id = id_of(&world.place_and_wait(&body(&[(tea, 2)])).await);
    world.shop.dispatch(id).await;
    // A carrier that is quicker than our own commit is told first.
    world
        .order_until(id, |order| order["status"] == "shipped")
        .await;
    a_millisecond_later().await;
    world.shop.deliver(id).await;
    let story = story_of(&world, id).await;
    in_order_of_time(&story);
    insta::assert_json_snapshot!("story_item", masked(&story["items"][0]));
    insta::assert_snapshot!("story_delivered", lines(&story).join("\n"));
    world.close().await;
}

#[tokio::test]
async fn the_story_of_an_order_that_is_undone() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    let gate = Gate::new();
    let charges = [Then::Fail, Then::Wait(gate.clone())];
    world.shop.script("charge", charges);
    world.shop.script(
        "schedule",
        [Then::Refuse("shipping_refused", "We do not go there.")],
    );
    let id = world.place(&body(&[(tea, 2)])).await;
    gate.reached().await;
    a_millisecond_later().await;
    gate.open();
    world.until_cancelled(id).await;
    let story = story_of(&world, id).await;
    in_order_of_time(&story);
    insta::assert_snapshot!("story_undone", lines(&story).join("\n"));
    world.close().await;
}

#[tokio::test]
async fn the_story_of_an_order_that_is_called_off() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    let gate = Gate::new();
    world.shop.script("charge", [Then::Wait(gate.clone())]);
    let id = world.place(&body(&[(tea, 2)])).await;
    gate.reached().await;
    world.quiet().await;
    let asked = world.post(&format!("/api/v1/orders/{id}/cancel")).send();
    let (told, ()) = futures::join!(asked, open_once_asked(&world, id, &gate));
    told.expect(200);
    let story = story_of(&world, id).await;
    in_order_of_time(&story);
    insta::assert_snapshot!("story_called_off", lines(&story).join("\n"));
    world.close().await;
}
