//! Making an account.

use cleave_tests::snapshots::masked;
use cleave_user_contract::events::UserRegistered;
use insta::assert_json_snapshot;
use serde_json::json;

use super::{PASSWORD, World, faults};

#[tokio::test]
async fn an_account_is_made_and_announced() {
    let world = World::new().await;
    let body = json!({"email": " Ada@Example.com ", "password": PASSWORD, "name": "Ada Lovelace"});
    let ask = world.api.post("/api/v1/users").json(&body);
    let told = ask
        .header("x-correlation-id", "c-1")
        .send()
        .await
        .expect(201);
    assert_json_snapshot!("an_account", masked(&told.json));
    let location = format!("/api/v1/users/{}", told.text("id"));
    assert_eq!(told.header("location"), location);
    assert_eq!(told.header("etag"), "\"1\"");

    let events = world.events().await;
    assert_eq!(events.len(), 1);
    let json = serde_json::to_value(&events[0]).expect("JSON");
    assert_json_snapshot!("user_registered", masked(&json));
    assert_eq!(events[0].correlationid.as_str(), "c-1");
    assert_eq!(events[0].subject, told.text("id"));
    let registered: UserRegistered = events[0].decode().expect("the event");
    assert_eq!(registered.email, "Ada@Example.com");
    assert_eq!(registered.name, "Ada Lovelace");
}

#[tokio::test]
async fn an_email_has_one_account_however_it_is_written() {
    let world = World::new().await;
    world.register("ada@example.com").await.expect(201);
    for email in ["ada@example.com", "ADA@example.com", " Ada@Example.Com "] {
        assert_eq!(world.register(email).await.problem(409), "email_taken");
    }
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let world = World::new().await;
    let body = json!({"email": "ada", "password": "short", "name": " ", "role": "admin"});
    let told = world.api.post("/api/v1/users").json(&body).send().await;
    let told = told.expect(422);
    assert_json_snapshot!("bad_fields", masked(&told.json));

    let told = world
        .api
        .post("/api/v1/users")
        .json(&json!({}))
        .send()
        .await;
    let told = told.expect(422);
    let missing = ["email: required", "name: required", "password: required"];
    assert_eq!(faults(&told), missing);
}

#[tokio::test]
async fn what_is_not_json_is_refused_as_such() {
    let world = World::new().await;
    let told = world.api.post("/api/v1/users").text("{").send().await;
    assert_eq!(told.problem(400), "malformed_json");
    let told = world.api.post("/api/v1/users").send().await;
    assert_eq!(told.problem(415), "unsupported_media_type");
}

#[tokio::test]
async fn a_password_is_kept_as_an_argon2id_hash_alone() {
    let world = World::new().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    let ask = world.api.post("/api/v1/users").json(&body).key("k-1");
    ask.send().await.expect(201);
    let hashes = world.texts("users", "password_hash").await;
    assert!(hashes[0].starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
    let bodies = world.texts("idempotency", "body").await;
    assert!(!bodies[0].contains(PASSWORD) && !bodies[0].contains("argon2"));
}

#[tokio::test]
async fn a_repeated_registration_is_told_the_first_outcome() {
    let world = World::new().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    let ask = || world.api.post("/api/v1/users").json(&body).key("k-1");
    let first = ask().send().await.expect(201);
    let again = ask().send().await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json, first.json);
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(world.events().await.len(), 1);

    let other = json!({"email": "eve@example.com", "password": PASSWORD, "name": "Eve"});
    let told = world.api.post("/api/v1/users").json(&other).key("k-1");
    assert_eq!(told.send().await.problem(422), "idempotency_key_reused");
}

#[tokio::test]
async fn a_repeated_refusal_stays_one() {
    let world = World::new().await;
    world.register("ada@example.com").await.expect(201);
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    let ask = || world.api.post("/api/v1/users").json(&body).key("k-1");
    let first = ask().send().await.expect(409);
    let again = ask().send().await;
    assert_eq!(again.status.as_u16(), 409);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json, first.json);
}
