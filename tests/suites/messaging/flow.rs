//! From the unit that makes an event to the units that act on it.

use std::collections::BTreeMap;

use cleave_messaging::{Inbox, Outbox};
use cleave_vocabulary::EventId;

use super::world::{World, settled};

#[tokio::test(flavor = "multi_thread")]
async fn every_handler_acts_on_an_event_once() {
    let world = World::new().await;
    let consumer = world.consumer(&["first", "second"]).await;
    let (relay, handle) = world.relay();
    let ids = world.emit(&["a", "b", "a"]).await;
    settled(&handle).await;
    for handler in ["first", "second"] {
        assert_eq!(world.effects(handler, "a").await, [ids[0], ids[2]]);
        assert_eq!(world.effects(handler, "b").await, [ids[1]]);
    }
    assert_eq!(world.read(Outbox::unsettled).await, 0);
    relay.stop().await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_keeps_its_order_among_many() {
    let world = World::new().await;
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, handle) = world.relay();
    let subjects: Vec<String> = (0..300).map(|n| format!("s{}", n % 7)).collect();
    let mut emitted: BTreeMap<&str, Vec<EventId>> = BTreeMap::new();
    for some in subjects.chunks(11) {
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        for (subject, id) in some.iter().zip(world.emit(&some).await) {
            emitted.entry(subject).or_default().push(id);
        }
    }
    settled(&handle).await;
    for (subject, ids) in emitted {
        assert_eq!(world.effects("recorder", subject).await, ids);
    }
    relay.stop().await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_twice_has_one_effect() {
    let world = World::new().await;
    let consumer = world.consumer(&["recorder"]).await;
    let (twice, other) = (world.event("a"), world.event("b"));
    for event in [&twice, &other, &twice, &twice] {
        let receipt = world.bus.publish(event.clone()).await.expect("published");
        receipt.await.expect("settled");
    }
    assert_eq!(world.effects("recorder", "a").await, [twice.id]);
    assert_eq!(world.effects("recorder", "b").await, [other.id]);
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_comes_later_is_not_taken_for_the_first() {
    let mut world = World::new().await;
    let consumer = world.consumer(&["first"]).await;
    let event = world.event("a");
    let receipt = world.bus.publish(event.clone()).await.expect("published");
    receipt.await.expect("settled");
    consumer.stop().await;
    world.restart().await;
    let consumer = world.consumer(&["first", "second"]).await;
    let receipt = world.bus.publish(event.clone()).await.expect("published");
    receipt.await.expect("settled");
    assert_eq!(world.effects("first", "a").await, [event.id]);
    assert_eq!(world.effects("second", "a").await, [event.id]);
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_sees_what_a_handler_has_not_had() {
    let world = World::new().await;
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, handle) = world.relay();
    let had = world.emit(&["a", "b"]).await;
    settled(&handle).await;
    relay.stop().await;
    let missed = world.emit(&["a"]).await;
    let all = [had.clone(), missed.clone()].concat();
    let missing = world.read(async move |tx| Inbox::missing(tx, "recorder", &all).await);
    assert_eq!(missing.await, missed);
    let of_another = world.read(async move |tx| Inbox::missing(tx, "other", &had).await);
    assert_eq!(of_another.await.len(), 2);
    consumer.stop().await;
}
