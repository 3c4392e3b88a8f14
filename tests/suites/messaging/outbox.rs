//! The outbox commits with the unit that writes it, and is the context's history.

use cleave_messaging::Outbox;
use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::EventId;

use super::world::World;

#[tokio::test]
async fn an_event_is_kept_with_its_unit_and_lost_with_it() {
    let world = World::new().await;
    let event = world.event("a").as_ref().clone();
    let refused = async move |tx: &Tx| -> Unit<(), &'static str> {
        Outbox::append(tx, std::slice::from_ref(&event)).await?;
        Err(UnitError::Refused("changed my mind"))
    };
    drop(world.temp.store.write(refused).await);
    assert_eq!(world.read(Outbox::unsettled).await, 0);
    world.emit(&["a"]).await;
    assert_eq!(world.read(Outbox::unsettled).await, 1);
}

#[tokio::test]
async fn history_is_in_commit_order_and_pages_by_number() {
    let world = World::new().await;
    let mut ids = world.emit(&["a", "b", "a"]).await;
    ids.extend(world.emit(&["b"]).await);
    let history = world
        .read(async |tx| Outbox::history(tx, 0, 100).await)
        .await;
    let seen: Vec<EventId> = history.iter().map(|(_, event)| event.id).collect();
    assert_eq!(seen, ids);
    let (second, _) = history[1];
    let rest = world.read(async move |tx| Outbox::history(tx, second, 1).await);
    let rest = rest.await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].1.id, ids[2]);
}

#[tokio::test]
async fn a_subject_has_a_history_of_its_own() {
    let world = World::new().await;
    let ids = world.emit(&["a", "b", "a"]).await;
    let of_a = world
        .read(async |tx| Outbox::of_subject(tx, "a", 0).await)
        .await;
    let seen: Vec<EventId> = of_a.iter().map(|(_, event)| event.id).collect();
    assert_eq!(seen, [ids[0], ids[2]]);
    let (first, _) = of_a[0];
    let rest = world.read(async move |tx| Outbox::of_subject(tx, "a", first).await);
    assert_eq!(rest.await.len(), 1);
}

#[tokio::test]
async fn many_events_fit_into_one_call() {
    let world = World::new().await;
    let subjects = vec!["a"; 1000];
    let ids = world.emit(&subjects).await;
    let of_a = world
        .read(async |tx| Outbox::of_subject(tx, "a", 0).await)
        .await;
    assert!(of_a.iter().map(|(_, event)| event.id).eq(ids));
}
