//! The inbox forgets in the end, and not before.

use std::time::Duration;

use cleave_messaging::{ConsumerOptions, Inbox};
use cleave_vocabulary::EventId;

use super::world::{World, settled};

#[tokio::test(flavor = "multi_thread")]
async fn it_remembers_for_as_long_as_it_is_told() {
    let world = World::new().await;
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, handle) = world.relay();
    let ids = world.emit(&["a", "b"]).await;
    settled(&handle).await;
    let forgotten = async |ids: &[EventId]| {
        let ids = ids.to_vec();
        let missing = world.read(async move |tx| Inbox::missing(tx, "recorder", &ids).await);
        missing.await.len()
    };
    assert_eq!(forgotten(&ids).await, 0);
    // Ids of events tell the real time they were made at, which is past.
    world
        .clock
        .advance(ConsumerOptions::default().inbox_retention);
    world.clock.advance(Duration::from_hours(24 * 365 * 20));
    world
        .eventually("forgetting", async || forgotten(&ids).await == 2)
        .await;
    relay.stop().await;
    consumer.stop().await;
}
