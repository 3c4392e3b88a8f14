//! What admins see, and what the invariants say.

use cleave_tests::api::Told;
use cleave_tests::audits::tamper;
use serde_json::Value;

use super::{Session, World};

async fn page(world: &World, session: &Session, query: &str) -> Told {
    let ask = world.api.get(&format!("/api/v1/users?{query}"));
    ask.bearer(&session.access).send().await
}

fn emails(told: &Told) -> Vec<&str> {
    let items = told.json["items"].as_array().expect("items");
    let email = |item: &'_ Value| item["email"].as_str().map(str::to_owned);
    assert!(items.iter().all(|item| email(item).is_some()));
    let emails = items.iter().filter_map(|item| item["email"].as_str());
    emails.collect()
}

#[tokio::test]
async fn users_come_in_pages_newest_first() {
    let world = World::new().await;
    let admin = world.admin().await;
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        world.register(email).await.expect(201);
    }
    let first = page(&world, &admin, "limit=2").await.expect(200);
    assert_eq!(emails(&first), ["c@example.com", "b@example.com"]);
    // One more does not move what comes next.
    world.register("d@example.com").await.expect(201);
    let next = format!("limit=2&cursor={}", first.text("next_cursor"));
    let last = page(&world, &admin, &next).await.expect(200);
    assert_eq!(emails(&last), ["a@example.com", "admin@example.com"]);
    assert_eq!(last.json["next_cursor"], Value::Null);
}

#[tokio::test]
async fn a_page_is_asked_for_properly() {
    let world = World::new().await;
    let admin = world.admin().await;
    for query in ["limit=0", "limit=101", "limit=x", "cursor=nonsense"] {
        let told = page(&world, &admin, query).await;
        assert_eq!(told.problem(422), "validation_failed");
    }
}

#[tokio::test]
async fn only_admins_see_other_users() {
    let world = World::new().await;
    let (admin, ada) = (world.admin().await, world.customer("ada@example.com").await);
    let me = world.me(&ada).await.expect(200);
    let path = format!("/api/v1/users/{}", me.text("id"));
    let as_of = |session: &Session| world.api.get(&path).bearer(&session.access).send();

    let told = as_of(&admin).await.expect(200);
    assert_eq!(told.json, me.json);
    assert_eq!(told.header("etag"), "\"1\"");
    assert_eq!(as_of(&ada).await.problem(403), "forbidden");
    assert_eq!(page(&world, &ada, "").await.problem(403), "forbidden");
    let nobody = world.api.get(&path).send().await;
    assert_eq!(nobody.problem(401), "unauthorized");
}

#[tokio::test]
async fn who_does_not_exist_is_not_found() {
    let world = World::new().await;
    let admin = world.admin().await;
    for id in [
        "usr_01h455vb4pex5vsknk084sn02q",
        "ord_01h455vb4pex5vsknk084sn02q",
        "7",
    ] {
        let ask = world.api.get(&format!("/api/v1/users/{id}"));
        let told = ask.bearer(&admin.access).send().await;
        assert_eq!(told.problem(404), "not_found");
    }
}

#[tokio::test]
async fn the_invariants_hold_and_a_broken_one_is_seen() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    world.refresh(&session.refresh).await.expect(201);
    world.refresh(&session.refresh).await.expect(401);
    world
        .sign_in("ada@example.com", super::PASSWORD)
        .await
        .expect(201);
    let checks = world.auditor.audit().await.expect("counted");
    let names: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "an_email_has_one_account",
            "a_live_session_has_one_unused_refresh_token"
        ]
    );
    assert!(checks.iter().all(|check| check.violations.is_empty()));
    assert!(checks.iter().all(|check| check.checked == 1));

    // The schema would not let it in.
    let again = "CREATE TABLE copies (id uuid_text, email_key varchar); \
                 INSERT INTO copies SELECT id, email_key FROM users; \
                 INSERT INTO copies SELECT randomblob(16), email_key FROM users; \
                 ALTER TABLE users RENAME TO once; ALTER TABLE copies RENAME TO users";
    tamper(world.store(), again).await;
    let checks = world.auditor.audit().await.expect("counted");
    assert_eq!((checks[0].checked, checks[0].violations.len()), (2, 1));

    tamper(world.store(), "UPDATE refresh_tokens SET used_at = 1").await;
    let checks = world.auditor.audit().await.expect("counted");
    assert_eq!(checks[1].violations.len(), 1);
    assert_eq!(checks[1].violations[0].detail, "it has 0");
}
