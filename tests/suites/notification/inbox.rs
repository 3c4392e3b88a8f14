//! One's own messages over HTTP.

use std::time::Duration;

use cleave_tests::api::Told;
use cleave_vocabulary::UserId;
use cleave_web::Role;
use serde_json::Value;

use super::{World, created, ids, paid};

async fn inbox(world: &World, user: UserId, query: &str) -> Told {
    let ask = world.api.get(&format!("/api/v1/notifications?{query}"));
    ask.caller(user, Role::Customer).send().await
}

async fn read(world: &World, user: UserId, id: &str) -> Told {
    let ask = world.api.post(&format!("/api/v1/notifications/{id}/read"));
    ask.caller(user, Role::Customer).send().await
}

fn items(told: &Told, member: &str) -> Vec<String> {
    let items = told.json["items"].as_array().expect("items").iter();
    let text = |item: &Value| item[member].as_str().expect(member).to_owned();
    items.map(text).collect()
}

#[tokio::test]
async fn messages_come_in_pages_newest_first() {
    let world = World::new().await;
    let user = world.recipient("ada@example.com").await;
    let order = ids().next();
    world.tell(&created(order, user)).await;
    world.tell(&paid(order, user)).await;
    let first = inbox(&world, user, "limit=2").await.expect(200);
    assert_eq!(items(&first, "kind"), ["order_paid", "order_created"]);
    // One more does not move what comes next.
    world.tell(&created(ids().next(), user)).await;
    let next = format!("limit=2&cursor={}", first.text("next_cursor"));
    let last = inbox(&world, user, &next).await.expect(200);
    assert_eq!(items(&last, "kind"), ["welcome"]);
    assert_eq!(last.json["next_cursor"], Value::Null);
    let bad = inbox(&world, user, "cursor=nonsense").await;
    assert_eq!(bad.problem(422), "validation_failed");
}

#[tokio::test]
async fn everyone_sees_their_own_messages_alone() {
    let world = World::new().await;
    let ada = world.recipient("ada@example.com").await;
    let eve = world.recipient("eve@example.com").await;
    let adas = inbox(&world, ada, "").await.expect(200);
    let id = &items(&adas, "id")[0];
    assert_eq!(items(&inbox(&world, eve, "").await, "id").len(), 1);
    assert_eq!(read(&world, eve, id).await.problem(404), "not_found");
    let ask = world.api.post(&format!("/api/v1/notifications/{id}/read"));
    let admin = ask.caller(eve, Role::Admin).send().await;
    assert_eq!(admin.problem(404), "not_found");
    assert_eq!(inbox(&world, ada, "").await.json, adas.json);
    let nobody = world.api.get("/api/v1/notifications").send().await;
    assert_eq!(nobody.problem(401), "unauthorized");
}

#[tokio::test]
async fn a_message_is_read_once() {
    let world = World::new().await;
    let user = world.recipient("ada@example.com").await;
    let id = &items(&inbox(&world, user, "").await, "id")[0];
    let first = read(&world, user, id).await.expect(200);
    assert_eq!(first.text("read_at"), "2026-01-02T03:04:05.678Z");
    world.clock.advance(Duration::from_mins(1));
    let again = read(&world, user, id).await.expect(200);
    assert_eq!(again.json, first.json);
    assert_eq!(inbox(&world, user, "").await.json["items"][0], first.json);
}

#[tokio::test]
async fn a_repeated_reading_is_told_the_first_outcome() {
    let world = World::new().await;
    let user = world.recipient("ada@example.com").await;
    let id = &items(&inbox(&world, user, "").await, "id")[0];
    let path = format!("/api/v1/notifications/{id}/read");
    let ask = || {
        world
            .api
            .post(&path)
            .key("k-1")
            .caller(user, Role::Customer)
    };
    let first = ask().send().await.expect(200);
    let again = ask().send().await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json, first.json);
}

#[tokio::test]
async fn what_is_no_message_is_not_found() {
    let world = World::new().await;
    let user = world.recipient("ada@example.com").await;
    for id in [
        "ntf_01h455vb4pex5vsknk084sn02q",
        "ord_01h455vb4pex5vsknk084sn02q",
        "7",
    ] {
        assert_eq!(read(&world, user, id).await.problem(404), "not_found");
    }
}
