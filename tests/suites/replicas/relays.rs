//! One relay publishes a context's events, whoever wrote them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cleave_messaging::conformance::Sample;
use cleave_messaging::{
    BusError, Delivery, EventBus, Outbox, Receipt, Relay, RelayOptions, Subscription,
};
use cleave_store::{Store, Tx, Unit};
use cleave_tests::postgres;
use cleave_vocabulary::{Clock, Envelope, EventId, ManualClock, SystemClock};
use futures::stream::BoxStream;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{eventually, replica};

/// A bus that counts, and settles what it is told to.
#[derive(Default)]
struct Listening {
    published: Mutex<Vec<EventId>>,
    holds: AtomicBool,
}

#[async_trait]
impl EventBus for Listening {
    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Receipt, BusError> {
        self.published.lock().push(envelope.id);
        if self.holds.load(Ordering::SeqCst) {
            return Ok(Box::pin(std::future::pending()));
        }
        Ok(Box::pin(async { Ok(()) }))
    }

    async fn subscribe(&self, _: Subscription) -> Result<BoxStream<'static, Delivery>, BusError> {
        Err(BusError::Closed)
    }

    async fn close(&self) {}

    fn kind(&self) -> &'static str {
        "listening"
    }
}

struct Running {
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Running {
    fn start(store: &Store, bus: &Arc<Listening>, clock: Arc<dyn Clock>, lease: Duration) -> Self {
        let options = RelayOptions {
            lease,
            ..RelayOptions::default()
        };
        let relay = Relay::new(store.clone(), bus.clone(), clock, options);
        let stop = CancellationToken::new();
        let task = std::iter::once(relay.run(stop.clone())).collect();
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.join_all().await;
    }
}

async fn emit(store: &Store, sample: &Sample) -> EventId {
    let event = sample.event("thing.happened", "a").as_ref().clone();
    let id = event.id;
    let append = async move |tx: &Tx| -> Unit<()> {
        Ok(Outbox::append(tx, std::slice::from_ref(&event)).await?)
    };
    store.write(append).await.expect("appended");
    id
}

async fn settled(store: &Store) -> i64 {
    let settled: Unit<i64> = store.read(Outbox::settled).await;
    settled.expect("read")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_stops_hands_over_at_once() {
    let url = postgres::shared().schema().await;
    let (one, other) = (replica(&url).await, replica(&url).await);
    let (bus, sample) = (Arc::<Listening>::default(), Sample::default());
    let long = Duration::from_mins(10);
    let first = Running::start(&one, &bus, Arc::new(SystemClock), long);
    let mut ids = vec![emit(&one, &sample).await];
    eventually("publishing", async || *bus.published.lock() == ids).await;
    let second = Running::start(&other, &bus, Arc::new(SystemClock), long);
    // What another process commits goes out as well, and by one of them.
    ids.push(emit(&other, &sample).await);
    eventually("publishing", async || *bus.published.lock() == ids).await;
    first.stop().await;
    assert_eq!(settled(&one).await, 2);
    ids.push(emit(&one, &sample).await);
    eventually("the hand-over", async || *bus.published.lock() == ids).await;
    second.stop().await;
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_term_is_over_moves_no_watermark() {
    let url = postgres::shared().schema().await;
    let (one, other) = (replica(&url).await, replica(&url).await);
    let (theirs, ours) = (Arc::<Listening>::default(), Arc::<Listening>::default());
    let sample = Sample::default();
    let (still, clock) = (ManualClock::default(), ManualClock::default());
    let lease = Duration::from_secs(5);
    let away = Running::start(&one, &theirs, Arc::new(still), lease);
    let mut ids = vec![emit(&one, &sample).await];
    eventually("publishing", async || *theirs.published.lock() == ids).await;

    // The other bus has settled nothing yet.
    ours.holds.store(true, Ordering::SeqCst);
    clock.advance(lease);
    let heir = Running::start(&other, &ours, Arc::new(clock), lease);
    eventually("the other one", async || *ours.published.lock() == ids).await;
    ids.push(emit(&one, &sample).await);
    eventually("publishing", async || *theirs.published.lock() == ids).await;
    // It believes that both are settled, and would write so.
    away.stop().await;
    assert_eq!(settled(&one).await, 0);
    heir.stop().await;
    one.close().await;
    other.close().await;
}
