//! What happens to an event that cannot be handled, and to those beside and behind it.

use super::world::{Does, World, settled};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_fails_is_tried_again_in_its_place() {
    let world = World::new().await;
    world.script.next("a", &[Does::Later, Does::Later]);
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, _) = world.relay();
    let ids = world.emit(&["a", "a", "b"]).await;
    world.expect("recorder", "b", &[ids[2]]).await;
    world.expect("recorder", "a", &ids[..2]).await;
    assert!(world.letters().await.is_empty());
    relay.stop().await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_keys_flow_while_one_waits_for_its_next_attempt() {
    let world = World::new().await;
    world.script.always("a", Does::Later);
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, _) = world.relay();
    world.emit(&["a"]).await;
    let others = world.emit(&["b", "c", "d"]).await;
    let done = async || world.effects("recorder", "d").await == others[2..];
    while !done().await {
        tokio::task::yield_now().await;
    }
    assert!(world.effects("recorder", "a").await.is_empty());
    relay.stop().await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_parks_its_key_alone() {
    let world = World::new().await;
    world.script.always("a", Does::Poison);
    let consumer = world.consumer(&["recorder", "bystander"]).await;
    let (relay, handle) = world.relay();
    let ids = world.emit(&["a", "b"]).await;
    world.expect_letters(1).await;
    let more = world.emit(&["a", "b", "a"]).await;
    settled(&handle).await;
    assert!(world.effects("recorder", "a").await.is_empty());
    assert_eq!(world.effects("recorder", "b").await, [ids[1], more[1]]);
    let of_bystander = world.effects("bystander", "a").await;
    assert_eq!(of_bystander, [ids[0], more[0], more[2]]);
    let letter = &world.letters().await[0];
    assert_eq!(letter.event_id, ids[0].to_string());
    assert_eq!(letter.handler, "recorder");
    assert_eq!((letter.subject.as_str(), letter.waiting), ("a", 2));
    assert_eq!(letter.error, "makes no sense");
    assert_eq!(letter.attempts, 1);
    relay.stop().await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_come_to_an_end() {
    for does in [
        Does::Later,
        Does::Panic,
        Does::BreakConstraint,
        Does::WaitForSomethingElse,
    ] {
        let world = World::new().await;
        world.script.always("a", does);
        let consumer = world.consumer(&["recorder"]).await;
        let (relay, handle) = world.relay();
        let ids = world.emit(&["a", "b", "a"]).await;
        let letters = world.expect_letters(1).await;
        settled(&handle).await;
        assert_eq!(letters[0].attempts, 6, "{does:?}");
        assert_eq!(world.effects("recorder", "b").await, [ids[1]]);
        assert!(world.effects("recorder", "a").await.is_empty());
        relay.stop().await;
        consumer.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_failures_than_attempts_make_no_dead_letter() {
    let world = World::new().await;
    world.script.next(
        "a",
        &[
            Does::Panic,
            Does::BreakConstraint,
            Does::Later,
            Does::Later,
            Does::Later,
        ],
    );
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, _) = world.relay();
    let ids = world.emit(&["a"]).await;
    world.expect("recorder", "a", &ids).await;
    assert!(world.letters().await.is_empty());
    relay.stop().await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_event_that_comes_twice_waits_once() {
    let world = World::new().await;
    world.script.always("a", Does::Poison);
    let consumer = world.consumer(&["recorder"]).await;
    let (dead, parked) = (world.event("a"), world.event("a"));
    for event in [&dead, &parked, &dead, &parked] {
        let receipt = world.bus.publish(event.clone()).await.expect("published");
        receipt.await.expect("settled");
    }
    let letters = world.letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].waiting, 1);
    consumer.stop().await;
}
