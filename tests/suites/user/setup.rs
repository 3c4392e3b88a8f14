//! First start: the first admin, the keys, and what is cleared away in time.

use std::time::Duration;

use cleave_user::{EnsureError, Ensured};
use cleave_user_contract::port::GetSigningKeys;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{PASSWORD, Session, World, call};

async fn kids(world: &World) -> Vec<String> {
    let keys = world.port.signing_keys(&call(), GetSigningKeys {}).await;
    let jwks = keys.expect("keys").jwks;
    let kid = |key: &Value| key["kid"].as_str().expect("a kid").to_owned();
    jwks["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .map(kid)
        .collect()
}

#[tokio::test]
async fn the_first_admin_is_made_once_and_never_reset() {
    let world = World::new().await;
    let email = "admin@example.com";
    let first = world.ensure_admin(email, PASSWORD).await;
    let Ok(Ensured::Created(id)) = first else {
        panic!("{first:?}");
    };
    let again = world
        .ensure_admin(" Admin@Example.com", "another password")
        .await;
    assert_eq!(again.expect("ensured"), Ensured::Existed(id));
    let session = Session::of(&world.sign_in(email, PASSWORD).await.expect(201));
    let me = world.me(&session).await.expect(200);
    assert_eq!(
        (me.text("role"), me.text("name")),
        ("admin", "Administrator")
    );
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn a_customer_is_not_made_an_admin() {
    let world = World::new().await;
    let call = call();
    let made = world
        .accounts
        .ensure_customer(&call, "ada@example.com", PASSWORD, "Ada");
    let Ok(Ensured::Created(id)) = made.await else {
        panic!("not made");
    };
    let ensured = world.ensure_admin("ada@example.com", PASSWORD).await;
    assert_eq!(ensured.expect("ensured"), Ensured::OtherRole(id));
    let session = Session::of(&world.sign_in("ada@example.com", PASSWORD).await.expect(201));
    assert_eq!(world.me(&session).await.text("role"), "customer");
}

#[tokio::test]
async fn an_admin_is_held_to_the_rules_for_accounts() {
    let world = World::new().await;
    let weak = world.ensure_admin("admin@example.com", "short").await;
    assert!(matches!(weak, Err(EnsureError::InvalidPassword)));
    let nobody = world.ensure_admin("admin", PASSWORD).await;
    assert!(matches!(nobody, Err(EnsureError::InvalidEmail)));
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn the_signing_key_survives_a_restart() {
    let world = World::new().await;
    let session = world.customer("ada@example.com").await;
    let before = kids(&world).await;
    let world = world.restarted(|_| {}).await;
    assert_eq!(kids(&world).await, before);
    world.me(&session).await.expect(200);
}

#[tokio::test]
async fn a_new_key_signs_while_the_old_one_is_still_published() {
    let world = World::new().await;
    let old = world.customer("ada@example.com").await;
    let first = kids(&world).await;
    world.clock.advance(Duration::from_secs(1));
    let added = world.accounts.rotate_signing_key().await.expect("rotated");
    assert_eq!(kids(&world).await, [added.clone(), first[0].clone()]);
    let new = Session::of(&world.sign_in("ada@example.com", PASSWORD).await.expect(201));

    // Whoever has the new keys believes both tokens.
    let world = world.restarted(|_| {}).await;
    world.me(&old).await.expect(200);
    world.me(&new).await.expect(200);
    let header = new.access.split('.').next().expect("a header");
    let header = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, header);
    let header: Value = serde_json::from_slice(&header.expect("base64")).expect("JSON");
    assert_eq!(header["kid"], added.as_str());
}

#[tokio::test]
async fn what_nobody_can_use_any_more_is_cleared_away() {
    let mut world = World::new().await;
    let past = world.customer("ada@example.com").await;
    let old = kids(&world).await;
    world.clock.advance(Duration::from_secs(1));
    let new = world.accounts.rotate_signing_key().await.expect("rotated");
    world.clock.advance(Duration::from_hours(45 * 24));
    let live = Session::of(&world.sign_in("ada@example.com", PASSWORD).await.expect(201));
    world.clock.advance(Duration::from_hours(15 * 24));

    let sweeper = world.tasks.remove(0);
    let stop = CancellationToken::new();
    let sweeping = tokio::spawn((sweeper.run)(stop.clone()));
    let swept = async {
        while world.texts("refresh_tokens", "digest").await.len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    let swept = tokio::time::timeout(Duration::from_secs(10), swept);
    swept.await.expect("swept");
    stop.cancel();
    sweeping.await.expect("it ends well");

    assert_ne!(old, std::slice::from_ref(&new));
    assert_eq!(kids(&world).await, [new]);
    let told = world.refresh(&past.refresh).await;
    assert_eq!(told.problem(401), "refresh_token_invalid");
    world.refresh(&live.refresh).await.expect(201);
}
