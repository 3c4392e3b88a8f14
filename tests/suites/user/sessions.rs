//! Signing in, going on, signing out.

use std::time::Duration;

use cleave_tests::snapshots::masked;
use insta::assert_json_snapshot;
use serde_json::json;

use super::{PASSWORD, Session, World};

#[tokio::test]
async fn a_session_begins_with_a_pair_of_tokens() {
    let world = World::new().await;
    world.register("ada@example.com").await.expect(201);
    let told = world.sign_in("ADA@example.com", PASSWORD).await.expect(201);
    assert_json_snapshot!("a_session", masked(&told.json));
    let me = world.me(&Session::of(&told)).await.expect(200);
    assert_eq!(me.text("email"), "ada@example.com");
}

#[tokio::test]
async fn nobody_learns_whether_an_account_exists() {
    let world = World::new().await;
    world.register("ada@example.com").await.expect(201);
    let mut answers = Vec::new();
    for (email, password) in [
        ("ada@example.com", "incorrect horse battery"),
        ("eve@example.com", PASSWORD),
        ("no address", PASSWORD),
    ] {
        let told = world.sign_in(email, password).await.expect(401);
        assert!(told.header("www-authenticate").starts_with("Bearer"));
        answers.push(masked(&told.json));
    }
    assert_json_snapshot!("invalid_credentials", answers[0]);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[tokio::test]
async fn a_repeated_sign_in_is_told_the_same_tokens_by_the_right_password_alone() {
    let world = World::new().await;
    world.register("ada@example.com").await.expect(201);
    let ask = |password: &str| {
        let body = json!({"email": "ada@example.com", "password": password});
        let ask = world.api.post("/api/v1/users/sessions").json(&body);
        ask.key("k-1").send()
    };
    let first = ask(PASSWORD).await.expect(201);
    let again = ask(PASSWORD).await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json, first.json);
    let wrong = ask("incorrect horse battery").await;
    assert_eq!(wrong.problem(401), "invalid_credentials");
}

#[tokio::test]
async fn no_token_is_kept_in_the_clear() {
    let world = World::new().await;
    world.register("ada@example.com").await.expect(201);
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let ask = world.api.post("/api/v1/users/sessions").json(&body);
    let told = ask.key("k-1").send().await.expect(201);
    let (access, refresh) = (told.text("access_token"), told.text("refresh_token"));
    for (table, column) in [("idempotency", "body"), ("refresh_tokens", "digest")] {
        let texts = world.texts(table, column).await;
        assert_eq!(texts.len(), 1);
        assert!(!texts[0].contains(access) && !texts[0].contains(refresh));
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_for_one_exchange() {
    let world = World::new().await;
    let first = world.customer("ada@example.com").await;
    let told = world.refresh(&first.refresh).await.expect(201);
    assert_json_snapshot!("a_session", masked(&told.json));
    let second = Session::of(&told);
    world.me(&second).await.expect(200);

    let reused = world.refresh(&first.refresh).await.expect(401);
    assert_json_snapshot!("refresh_token_reused", masked(&reused.json));
}

#[tokio::test]
async fn a_token_used_twice_ends_its_family_and_no_other() {
    let world = World::new().await;
    let first = world.customer("ada@example.com").await;
    let other = world.sign_in("ada@example.com", PASSWORD).await.expect(201);
    let second = Session::of(&world.refresh(&first.refresh).await.expect(201));
    let reused = world.refresh(&first.refresh).await;
    assert_eq!(reused.problem(401), "refresh_token_reused");
    let newest = world.refresh(&second.refresh).await;
    assert_eq!(newest.problem(401), "refresh_token_reused");
    world
        .refresh(Session::of(&other).refresh.as_str())
        .await
        .expect(201);
}

#[tokio::test]
async fn of_two_exchanges_at_once_one_succeeds_and_the_family_ends() {
    let world = World::new().await;
    let first = world.customer("ada@example.com").await;
    let (one, two) = tokio::join!(world.refresh(&first.refresh), world.refresh(&first.refresh));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401]);
    let won = if one.status == 201 { one } else { two };
    let after = world.refresh(&Session::of(&won).refresh).await;
    assert_eq!(after.problem(401), "refresh_token_reused");
}

#[tokio::test]
async fn an_exchange_repeated_under_its_key_is_no_reuse() {
    let world = World::new().await;
    let first = world.customer("ada@example.com").await;
    let body = json!({"refresh_token": first.refresh});
    let ask = || {
        world
            .api
            .post("/api/v1/users/sessions/refresh")
            .json(&body)
            .key("k-1")
    };
    let told = ask().send().await.expect(201);
    let again = ask().send().await.expect(201);
    assert_eq!(again.json, told.json);
    world.refresh(&Session::of(&told).refresh).await.expect(201);
}

#[tokio::test]
async fn a_reuse_under_a_key_ends_the_family_too() {
    let world = World::new().await;
    let first = world.customer("ada@example.com").await;
    let second = Session::of(&world.refresh(&first.refresh).await.expect(201));
    let body = json!({"refresh_token": first.refresh});
    let ask = world.api.post("/api/v1/users/sessions/refresh").json(&body);
    let told = ask.key("k-1").send().await;
    assert_eq!(told.problem(401), "refresh_token_reused");
    let newest = world.refresh(&second.refresh).await;
    assert_eq!(newest.problem(401), "refresh_token_reused");
}

#[tokio::test]
async fn a_refresh_token_expires_thirty_days_after_it_was_issued() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    world
        .clock
        .advance(Duration::from_hours(30 * 24) - Duration::from_secs(1));
    let session = Session::of(&world.refresh(&session.refresh).await.expect(201));
    world.clock.advance(Duration::from_hours(30 * 24));
    let late = world.refresh(&session.refresh).await;
    assert_eq!(late.problem(401), "refresh_token_expired");
}

#[tokio::test]
async fn what_is_no_refresh_token_gets_nothing() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    for token in ["nonsense", &session.access, &session.refresh.to_uppercase()] {
        let told = world.refresh(token).await;
        assert_eq!(told.problem(401), "refresh_token_invalid");
    }
    assert_eq!(world.refresh("").await.problem(422), "validation_failed");
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    let out = || {
        let ask = world.api.delete("/api/v1/users/sessions");
        ask.bearer(&session.access).send()
    };
    assert_eq!(out().await.expect(204).json, serde_json::Value::Null);
    let told = world.refresh(&session.refresh).await;
    assert_eq!(told.problem(401), "refresh_token_revoked");
    out().await.expect(204);
    let nobody = world.api.delete("/api/v1/users/sessions").send().await;
    assert_eq!(nobody.problem(401), "unauthorized");
}

#[tokio::test]
async fn an_access_token_is_good_for_a_quarter_of_an_hour() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    world.clock.advance(Duration::from_mins(14));
    world.me(&session).await.expect(200);
    world.clock.advance(Duration::from_mins(2));
    assert_eq!(world.me(&session).await.problem(401), "token_expired");
}

#[tokio::test]
async fn a_hash_of_other_days_is_renewed_at_the_next_sign_in() {
    let world = World::new().await;
    world.register("ada@example.com").await.expect(201);
    let world = world
        .restarted(|settings| settings.hashing.iterations = 2)
        .await;
    world.sign_in("ada@example.com", PASSWORD).await.expect(201);
    let hashes = world.texts("users", "password_hash").await;
    assert!(hashes[0].starts_with("$argon2id$v=19$m=8,t=2,p=1$"));
    world.sign_in("ada@example.com", PASSWORD).await.expect(201);
}
