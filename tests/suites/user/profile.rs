//! One's own account.

use std::time::Duration;

use cleave_tests::snapshots::masked;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::{Session, World, faults};
use cleave_tests::api::Told;

async fn patch(world: &World, session: &Session, tag: &str, change: Value) -> Told {
    let ask = world.api.patch("/api/v1/users/me").bearer(&session.access);
    ask.if_match(tag).json(&change).send().await
}

fn address() -> Value {
    json!({
        "name": "Ada Lovelace", "line1": "12 St James's Square", "line2": null,
        "city": "London", "postal_code": "SW1Y 4JH", "country": "GB",
    })
}

#[tokio::test]
async fn one_sees_oneself_with_an_entity_tag() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    let told = world.me(&session).await.expect(200);
    assert_json_snapshot!("an_account", masked(&told.json));
    assert_eq!(told.header("etag"), "\"1\"");
    let ask = world.api.get("/api/v1/users/me").bearer(&session.access);
    ask.if_none_match("\"1\"").send().await.expect(304);
    let nobody = world.api.get("/api/v1/users/me").send().await;
    assert_eq!(nobody.problem(401), "unauthorized");
}

#[tokio::test]
async fn a_change_names_what_it_changes_and_leaves_the_rest() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    world.clock.advance(Duration::from_secs(60));
    let change = json!({"phone": "+44 20 7946 0000", "default_address": address()});
    let told = patch(&world, &session, "\"1\"", change).await.expect(200);
    assert_json_snapshot!("a_changed_account", masked(&told.json));
    assert_eq!(told.header("etag"), "\"2\"");
    assert_eq!(told.text("updated_at"), "2026-01-02T03:05:05.678Z");

    let told = patch(&world, &session, "\"2\"", json!({"name": " Ada King "})).await;
    let told = told.expect(200);
    assert_eq!(told.text("name"), "Ada King");
    assert_eq!(told.text("phone"), "+44 20 7946 0000");
    assert_eq!(told.json["default_address"], address());
    assert_eq!(told.json, world.me(&session).await.expect(200).json);
}

#[tokio::test]
async fn null_takes_away_what_one_can_be_without() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    let change = json!({"phone": "12345", "default_address": address()});
    patch(&world, &session, "\"1\"", change).await.expect(200);
    let change = json!({"phone": null, "default_address": null});
    let told = patch(&world, &session, "\"2\"", change).await.expect(200);
    assert_eq!(told.json["phone"], Value::Null);
    assert_eq!(told.json["default_address"], Value::Null);
    let told = patch(&world, &session, "\"3\"", json!({"name": null})).await;
    assert_eq!(faults(&told.expect(422)), ["name: invalid_type"]);
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_no_new_version() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    for change in [json!({}), json!({"name": "Ada Lovelace"})] {
        let told = patch(&world, &session, "\"1\"", change).await.expect(200);
        assert_eq!(told.header("etag"), "\"1\"");
    }
}

#[tokio::test]
async fn a_change_must_say_what_it_changes() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    let ask = world.api.patch("/api/v1/users/me").bearer(&session.access);
    let told = ask.json(&json!({"name": "Ada"})).send().await;
    assert_eq!(told.problem(428), "precondition_required");

    let change = json!({"name": "Ada King"});
    patch(&world, &session, "\"1\"", change.clone())
        .await
        .expect(200);
    let told = patch(&world, &session, "\"1\"", json!({"name": "Eve"})).await;
    assert_eq!(told.problem(412), "version_conflict");
    assert_eq!(world.me(&session).await.text("name"), "Ada King");
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_stale() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    let change = |name: &str| patch(&world, &session, "\"1\"", json!({ "name": name }));
    let (one, two) = tokio::join!(change("One"), change("Two"));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    let mut bad = address();
    bad["country"] = json!("UK");
    bad["city"] = json!(" ");
    bad["planet"] = json!("Earth");
    let change = json!({"phone": "call me", "default_address": bad, "email": "eve@example.com"});
    let told = patch(&world, &session, "\"1\"", change).await.expect(422);
    assert_json_snapshot!("bad_profile_fields", masked(&told.json));
    assert_eq!(world.me(&session).await.header("etag"), "\"1\"");
}
