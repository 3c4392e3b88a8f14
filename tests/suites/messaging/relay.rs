//! The relay forgets nothing, whatever ends it, and keeps the order.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cleave_messaging::{BusError, Delivery, EventBus, Outbox, Receipt, Subscription};
use cleave_tests::stores::over_postgres;
use cleave_vocabulary::{Envelope, EventId};
use futures::stream::BoxStream;
use parking_lot::Mutex;

use super::world::{World, settled};

/// A bus that only counts: what a test tells it to lose is lost on its way.
#[derive(Default)]
pub(super) struct Listening {
    published: Mutex<Vec<EventId>>,
    /// Publishing fails so often.
    refuse: AtomicUsize,
    /// Receipts of these fail, once each.
    lose: Mutex<HashSet<EventId>>,
    /// Receipts of these never resolve.
    hold: Mutex<HashSet<EventId>>,
    /// What keeps them.
    keeper: Mutex<Option<&'static str>>,
}

impl Listening {
    pub(super) fn published(&self) -> Vec<EventId> {
        self.published.lock().clone()
    }
}

#[async_trait]
impl EventBus for Listening {
    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Receipt, BusError> {
        let refuse = self.refuse.load(Ordering::Relaxed);
        if refuse > 0 {
            self.refuse.store(refuse - 1, Ordering::Relaxed);
            return Err(BusError::Failed("away".into()));
        }
        self.published.lock().push(envelope.id);
        if self.hold.lock().contains(&envelope.id) {
            return Ok(Box::pin(std::future::pending()));
        }
        if self.lose.lock().remove(&envelope.id) {
            return Ok(Box::pin(async { Err(BusError::Failed("lost".into())) }));
        }
        Ok(Box::pin(async { Ok(()) }))
    }

    async fn subscribe(&self, _: Subscription) -> Result<BoxStream<'static, Delivery>, BusError> {
        Err(BusError::Closed)
    }

    async fn incarnation(&self, _: &str) -> Result<Option<String>, BusError> {
        Ok(self.keeper.lock().map(str::to_owned))
    }

    async fn close(&self) {}

    fn kind(&self) -> &'static str {
        "listening"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_publishes_in_commit_order_what_was_there_and_what_comes() {
    let world = World::new().await;
    let bus = Arc::new(Listening::default());
    let mut ids = world.emit(&["a", "b", "c"]).await;
    let (relay, handle) = world.relay_to(bus.clone());
    ids.extend(world.emit(&["b", "a"]).await);
    settled(&handle).await;
    assert_eq!(bus.published(), ids);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_beside_it_need_not_be_read() {
    if over_postgres() {
        // There a number may be missing that still comes, which the outbox tells.
        return;
    }
    let world = World::new().await;
    let bus = Arc::new(Listening::default());
    let mut ids = world.emit(&["a"]).await;
    let (relay, _) = world.relay_to(bus.clone());
    let out = async |ids: &[EventId]| {
        let published = async || bus.published() == ids;
        world.eventually("publishing", published).await;
    };
    out(&ids).await;
    let reads = world.temp.store.read_stats().reads;
    for subjects in [&["a"][..], &["b", "a", "c"], &["b", "c"]] {
        ids.extend(world.emit(subjects).await);
        out(&ids).await;
    }
    assert_eq!(world.temp.store.read_stats().reads, reads);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_is_not_published_again() {
    let world = World::new().await;
    let bus = Arc::new(Listening::default());
    let (relay, handle) = world.relay_to(bus.clone());
    let mut ids = world.emit(&["a", "b"]).await;
    settled(&handle).await;
    relay.stop().await;
    assert_eq!(world.read(Outbox::unsettled).await, 0);
    let (relay, handle) = world.relay_to(bus.clone());
    ids.extend(world.emit(&["c"]).await);
    settled(&handle).await;
    assert_eq!(bus.published(), ids);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_watermark_publishes_again_with_one_effect() {
    let mut world = World::new().await;
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, _) = world.relay();
    let ids = world.emit(&["a", "b", "a"]).await;
    while world.effects("recorder", "a").await.len() < 2 {
        tokio::task::yield_now().await;
    }
    relay.kill().await;
    consumer.kill().await;
    assert_eq!(world.read(Outbox::settled).await, 0, "nobody wrote it down");
    world.restart().await;
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, handle) = world.relay();
    settled(&handle).await;
    assert_eq!(world.effects("recorder", "a").await, [ids[0], ids[2]]);
    assert_eq!(world.effects("recorder", "b").await, [ids[1]]);
    relay.stop().await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watermark_stays_below_what_is_not_settled() {
    let world = World::new().await;
    let bus = Arc::new(Listening::default());
    let ids = world.emit(&["a", "b", "c"]).await;
    bus.hold.lock().insert(ids[1]);
    let (relay, _) = world.relay_to(bus.clone());
    let last = *ids.last().expect("three");
    let all_out = async || bus.published().contains(&last);
    world.eventually("publishing", all_out).await;
    let first_settled = async || world.read(Outbox::unsettled).await == 2;
    world.eventually("the watermark", first_settled).await;
    relay.stop().await;
    bus.hold.lock().clear();
    let (relay, handle) = world.relay_to(bus.clone());
    settled(&handle).await;
    assert_eq!(bus.published()[3..], ids[1..]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_writes_the_watermark() {
    let world = World::new().await;
    let bus = Arc::new(Listening::default());
    let (relay, _) = world.relay_to(bus.clone());
    world.emit(&["a", "b"]).await;
    while bus.published().len() < 2 {
        tokio::task::yield_now().await;
    }
    relay.stop().await;
    assert_eq!(world.read(Outbox::unsettled).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_fails_is_asked_again_and_the_order_holds() {
    let world = World::new().await;
    let bus = Arc::new(Listening::default());
    bus.refuse.store(3, Ordering::Relaxed);
    let (relay, _) = world.relay_to(bus.clone());
    let ids = world.emit(&["a", "b", "c"]).await;
    let out = async || bus.published() == ids;
    world.eventually("publishing", out).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_lost_is_published_again_and_so_is_what_followed_it() {
    let world = World::new().await;
    let bus = Arc::new(Listening::default());
    let ids = world.emit(&["a", "b", "c"]).await;
    bus.lose.lock().insert(ids[1]);
    let (relay, _) = world.relay_to(bus.clone());
    let settled = async || world.read(Outbox::unsettled).await == 0;
    world.eventually("settling", settled).await;
    // How much of what followed was out already is a matter of timing.
    let published = bus.published();
    let times = |id| published.iter().filter(|one| *one == id).count();
    assert_eq!((times(&ids[0]), times(&ids[1])), (1, 2));
    assert_eq!(published[..2], ids[..2]);
    assert_eq!(published[published.len() - 2..], ids[1..]);
    relay.stop().await;
}

/// What a bus has lost goes out again, up to a time: `old` is older than that.
async fn lost_and_found(whole: impl AsyncFn(&World, &Arc<Listening>)) {
    let world = World::new().await;
    let bus = Arc::new(Listening::default());
    *bus.keeper.lock() = Some("the first");
    let old = world
        .emit_aged(&["a", "b"], Duration::from_hours(24 * 16))
        .await;
    let new = world
        .emit_aged(&["c", "a", "b"], Duration::from_hours(24 * 14))
        .await;
    let (relay, handle) = world.relay_to(bus.clone());
    settled(&handle).await;
    relay.stop().await;
    assert_eq!(bus.published(), [old.clone(), new.clone()].concat());
    bus.published.lock().clear();
    whole(&world, &bus).await;
    assert_eq!(bus.published(), new);
    // Once is enough.
    let (relay, handle) = world.relay_to(bus.clone());
    let more = world.emit(&["d"]).await;
    settled(&handle).await;
    relay.stop().await;
    assert_eq!(bus.published(), [new, more].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bus_lost_between_two_lives_of_the_relay_goes_out_again() {
    lost_and_found(async |world, bus| {
        *bus.keeper.lock() = Some("the second");
        let (relay, _) = world.relay_to(bus.clone());
        let again = async || bus.published().len() == 3;
        world.eventually("publishing", again).await;
        relay.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bus_lost_while_nothing_was_published_goes_out_again() {
    lost_and_found(async |world, bus| {
        let (relay, handle) = world.relay_to(bus.clone());
        settled(&handle).await;
        *bus.keeper.lock() = Some("the second");
        let again = async || bus.published().len() == 3;
        world.eventually("publishing", again).await;
        relay.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_kept_goes_out_again_over_a_bus_that_keeps_nothing() {
    lost_and_found(async |world, bus| {
        *bus.keeper.lock() = None;
        let (relay, _) = world.relay_to(bus.clone());
        let again = async || bus.published().len() == 3;
        world.eventually("publishing", again).await;
        relay.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_a_relay_that_has_stopped_is_told() {
    let world = World::new().await;
    let (relay, handle) = world.relay();
    relay.stop().await;
    world.emit(&["a"]).await;
    let answer = tokio::time::timeout(Duration::from_secs(20), handle.settled()).await;
    assert!(matches!(answer.expect("an answer"), Err(BusError::Closed)));
}
