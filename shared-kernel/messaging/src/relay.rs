//! The relay hands what the outbox holds to the bus, in order, and keeps a
//! durable watermark below which every event is settled. What lies above the
//! watermark goes out again after a restart, so that an event is published at
//! least once and never forgotten; inboxes make the repetition harmless.
//!
//! One relay serves an outbox, because several would reorder: over a database
//! that processes share, the one that holds the lease `relay`. Whoever lost it
//! can move the watermark no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cleave_lease::{Lease, Term};
use cleave_store::{Store, Tx, Unit};
use cleave_vocabulary::{Clock, Envelope, Timestamp};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::carriage::{Agreed, Carriage};
use crate::follower::{Follower, Page};
use crate::hand_over::{Behind, HandOver};
use crate::{BusError, ConsumerOptions, EventBus, OUTBOX, Outbox, Receipt, sql};

/// The settings of `bus.relay`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayOptions {
    /// Rows read at a time.
    pub batch: u64,
    /// Events published and not yet settled, at the most.
    pub in_flight: usize,
    /// How long the relay waits behind a commit for others, so that handlers get
    /// more events at a time and stay out of the way of those who wait for an
    /// answer. Nothing waits for it while events flow faster than that.
    #[serde(with = "cleave_vocabulary::duration")]
    pub linger: Duration,
    /// How often the watermark is written while events flow.
    #[serde(with = "cleave_vocabulary::duration")]
    pub watermark_every: Duration,
    /// How long a process that died keeps its relays from the others, where
    /// several share a database.
    #[serde(with = "cleave_vocabulary::duration")]
    pub lease: Duration,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            batch: 256,
            in_flight: 4096,
            linger: Duration::from_millis(2),
            watermark_every: Duration::from_millis(500),
            lease: Duration::from_secs(5),
        }
    }
}

impl RelayOptions {
    /// What is wrong with them, by the name of the setting.
    pub fn validate(&self) -> Result<(), String> {
        if !(1..=100_000).contains(&self.batch) {
            return Err("bus.relay.batch must be 1 to 100000".to_owned());
        }
        if !(1..=1_000_000).contains(&self.in_flight) {
            return Err("bus.relay.in_flight must be 1 to 1000000".to_owned());
        }
        if self.linger > Duration::from_secs(1) {
            return Err("bus.relay.linger must be 1s or less".to_owned());
        }
        if self.watermark_every.is_zero() {
            return Err("bus.relay.watermark_every must be longer than 0ms".to_owned());
        }
        if !(Duration::from_millis(100)..=Duration::from_mins(10)).contains(&self.lease) {
            return Err("bus.relay.lease must be 100ms to 10m".to_owned());
        }
        Ok(())
    }
}

/// Commits tell the relay of themselves; this is for what nobody told it, a stream
/// that is gone among it.
const POLL: Duration = Duration::from_secs(5);
/// How long a relay that is told to stop waits for what it has published.
const GRACE: Duration = Duration::from_secs(1);
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(50),
    limit: Duration::from_secs(5),
};

/// The relay of one context's outbox.
pub struct Relay {
    store: Store,
    bus: Arc<dyn EventBus>,
    clock: Arc<dyn Clock>,
    options: RelayOptions,
    carriage: Carriage,
    settled: watch::Sender<i64>,
    /// When the oldest event in flight became true; the end of time for none.
    oldest: AtomicI64,
    meters: Meters,
}

struct Meters {
    published: metrics::Counter,
    lag: metrics::Gauge,
}

/// Tells how far a relay has come.
#[derive(Clone)]
pub struct RelayHandle {
    store: Store,
    settled: watch::Receiver<i64>,
}

impl RelayHandle {
    /// Returns once every event that was committed before this call is settled,
    /// and the watermark in the store says so. Fails when the relay has stopped.
    pub async fn settled(&self) -> Result<(), BusError> {
        let last = async |tx: &Tx| -> Unit<i64> { Ok(Outbox::last(tx).await?) };
        let last = self.store.read(last).await.map_err(failed)?;
        let mut settled = self.settled.clone();
        let reached = settled.wait_for(|settled| *settled >= last).await;
        drop(reached.map_err(|_| BusError::Closed)?);
        let settle = async move |tx: &Tx| -> Unit<()> { Ok(Outbox::settle(tx, last).await?) };
        self.store.write(settle).await.map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> BusError {
    BusError::Failed(error.to_string())
}

/// An event on its way: its number, when it became true, and its receipt.
struct Sent {
    seq: i64,
    time: Timestamp,
    receipt: Receipt,
}

/// How a stretch of relaying ended.
enum End {
    /// All that was published is settled, or the relay waits for it no longer.
    Stopped,
    /// A receipt failed: publish again from the first event that is not settled.
    Lost(BusError),
}

impl Relay {
    /// A relay from `store`'s outbox to `bus`.
    pub fn new(
        store: Store,
        bus: Arc<dyn EventBus>,
        clock: Arc<dyn Clock>,
        options: RelayOptions,
    ) -> Self {
        let context = store.name().to_owned();
        let meters = Meters {
            published: metrics::counter!("cleave_events_published_total", "context" => context.clone()),
            lag: metrics::gauge!("cleave_outbox_lag_seconds", "context" => context),
        };
        let memory = ConsumerOptions::default().inbox_retention;
        Self {
            carriage: Carriage::new(store.clone(), bus.clone(), clock.clone(), memory),
            store,
            bus,
            clock,
            options,
            settled: watch::Sender::new(-1),
            oldest: AtomicI64::new(i64::MAX),
            meters,
        }
    }

    /// The same, where inboxes remember for so long what was handled. What a bus has
    /// lost is published again from half of that on.
    #[must_use]
    pub fn with_inboxes_that_remember(mut self, memory: Duration) -> Self {
        self.carriage.remember_for(memory);
        self
    }

    /// Tells how far it has come.
    pub fn handle(&self) -> RelayHandle {
        RelayHandle {
            store: self.store.clone(),
            settled: self.settled.subscribe(),
        }
    }

    /// Runs until `stop`; then publishes no more, waits a moment for what is in
    /// flight, writes its watermark, gives its lease back and returns.
    pub async fn run(self, stop: CancellationToken) {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let lease = Lease::new(store, clock, "relay", self.options.lease);
        let relay = &self;
        lease
            .hold(&stop, |term, over| relay.serve(term, over))
            .await;
    }

    /// One term of it.
    async fn serve(&self, term: Term, stop: CancellationToken) {
        let Some(written) = stop.run_until_cancelled(self.watermark()).await else {
            return;
        };
        self.settled.send_replace(written);
        let written = AtomicI64::new(written);
        let mut failures = 0;
        loop {
            let before = self.position();
            match self.stretch(&stop, &term, &written).await {
                End::Stopped => break,
                End::Lost(error) => {
                    failures = if self.position() > before {
                        1
                    } else {
                        failures + 1
                    };
                    tracing::warn!(context = self.store.name(), %error, "events are published again");
                    let wait = self.clock.sleep(BACKOFF.after(failures));
                    if stop.run_until_cancelled(wait).await.is_none() {
                        break;
                    }
                }
            }
        }
        self.write_watermark(&term, &written).await;
    }

    /// Everything up to here is settled.
    fn position(&self) -> i64 {
        *self.settled.borrow()
    }

    async fn watermark(&self) -> i64 {
        self.insist("reading the watermark", || {
            self.store.read(async |tx: &Tx| Outbox::settled(tx).await)
        })
        .await
    }

    /// Publishes from the watermark on until `stop` or a receipt that fails.
    async fn stretch(&self, stop: &CancellationToken, term: &Term, written: &AtomicI64) -> End {
        let agree = self.carriage.agree(term, self.position());
        match stop.run_until_cancelled(agree).await {
            Some(Ok(Agreed::Same)) => {}
            Some(Ok(Agreed::Back(behind))) => {
                self.settled.send_replace(behind);
                written.store(behind, Ordering::Relaxed);
            }
            Some(Err(error)) => return End::Lost(error),
            Some(Ok(Agreed::Over)) | None => return End::Stopped,
        }
        let (sent, in_flight) = mpsc::channel(self.options.in_flight.max(1));
        let publish_then_wait = async move {
            let publish = self.publish(self.position(), &sent);
            stop.run_until_cancelled(publish).await;
            drop(sent);
            // Real time: it bounds how long a stop may take.
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            end = self.settle(in_flight) => end,
            () = publish_then_wait => End::Stopped,
            end = self.keep_watermark(term, written) => end,
        }
    }

    /// Publishes what lies behind `after`, and goes on as more is committed.
    async fn publish(&self, mut after: i64, sent: &mpsc::Sender<Sent>) {
        let committed = self.store.on(OUTBOX);
        let handed = HandOver::of(&self.store, self.options.in_flight);
        let follower = Follower::default();
        // What was committed before anybody heard of it is in the outbox alone.
        let mut look = true;
        loop {
            let behind = if look {
                Behind::Unknown
            } else {
                handed.behind(after, self.options.batch)
            };
            let more = match behind {
                Behind::Events(events) => {
                    let found = events.len() as u64;
                    for (seq, event) in events {
                        self.send(sent, seq, event).await;
                        after = seq;
                    }
                    found >= self.options.batch
                }
                Behind::Nothing => false,
                Behind::Unknown => {
                    let Page { rows, more } = self.rows(&follower, after).await;
                    for (seq, text) in rows {
                        self.send_row(sent, seq, &text).await;
                        after = seq;
                    }
                    more
                }
            };
            look = if more {
                look
            } else {
                self.news(&committed).await
            };
        }
    }

    /// Waits until there may be more, and a moment longer for more still; whether
    /// nobody said so.
    async fn news(&self, committed: &Notify) -> bool {
        let unheard = tokio::select! {
            () = committed.notified() => false,
            () = self.clock.sleep(POLL) => true,
        };
        // Real time: it is about the machine's work, not about the shop's day.
        tokio::time::sleep(self.options.linger).await;
        unheard
    }

    async fn rows(&self, follower: &Follower, after: i64) -> Page {
        self.insist("reading the outbox", || {
            follower.next(&self.store, after, self.options.batch)
        })
        .await
    }

    async fn send(&self, sent: &mpsc::Sender<Sent>, seq: i64, event: Arc<Envelope>) {
        let time = event.time;
        self.insist("remembering where events go", || {
            self.carriage.note(&event.kind)
        })
        .await;
        let receipt = self.publish_one(event).await;
        // The settling end goes away only together with this one.
        drop(sent.send(Sent { seq, time, receipt }).await);
    }

    /// A row that is no envelope is damage that nobody can handle: it is
    /// reported, and stays in the outbox, but must not stop those behind it.
    async fn send_row(&self, sent: &mpsc::Sender<Sent>, seq: i64, text: &str) {
        if let Ok(event) = sql::from_text(text) {
            return self.send(sent, seq, Arc::new(event)).await;
        }
        let context = self.store.name();
        tracing::error!(
            context,
            seq,
            "the outbox holds what is no event; it is skipped"
        );
        let (time, receipt) = (self.clock.now(), Box::pin(std::future::ready(Ok(()))));
        drop(sent.send(Sent { seq, time, receipt }).await);
    }

    /// Publishes one event, however often it takes.
    async fn publish_one(&self, event: Arc<Envelope>) -> Receipt {
        let receipt = self
            .insist("publishing", || self.bus.publish(event.clone()))
            .await;
        self.meters.published.increment(1);
        receipt
    }

    /// Waits for receipts in order: only the first decides how far the watermark
    /// may go, so that nothing need watch the others.
    async fn settle(&self, mut in_flight: mpsc::Receiver<Sent>) -> End {
        let mut settled = self.position();
        while let Some(mut next) = in_flight.recv().await {
            self.oldest.store(next.time.as_micros(), Ordering::Relaxed);
            let outcome = if let Some(outcome) = (&mut next.receipt).now_or_never() {
                outcome
            } else {
                self.settled.send_replace(settled);
                next.receipt.await
            };
            if let Err(error) = outcome {
                self.settled.send_replace(settled);
                return End::Lost(error);
            }
            settled = next.seq;
            if in_flight.is_empty() {
                self.settled.send_replace(settled);
                self.oldest.store(i64::MAX, Ordering::Relaxed);
            }
        }
        End::Stopped
    }

    /// Until another relay has taken over, or what was published is not where it was.
    async fn keep_watermark(&self, term: &Term, written: &AtomicI64) -> End {
        let mut looked = self.clock.now();
        loop {
            self.clock.sleep(self.options.watermark_every).await;
            if !self.write_watermark(term, written).await {
                return End::Stopped;
            }
            if self.clock.now().since(looked) >= POLL {
                looked = self.clock.now();
                // A bus that does not answer says so where it is published to.
                if let Ok(true) = self.carriage.has_moved().await {
                    let gone = "what carried the events is gone";
                    return End::Lost(BusError::Failed(gone.to_owned()));
                }
            }
            let oldest = Timestamp::from_micros(self.oldest.load(Ordering::Relaxed));
            self.meters
                .lag
                .set(self.clock.now().since(oldest).as_secs_f64());
        }
    }

    /// False where it is another relay's by now.
    async fn write_watermark(&self, term: &Term, written: &AtomicI64) -> bool {
        let settled = self.position();
        if settled <= written.load(Ordering::Relaxed) {
            return true;
        }
        let term = term.clone();
        let write = async move |tx: &Tx| -> Unit<bool> {
            let holds = term.holds(tx).await?;
            if holds {
                Outbox::settle(tx, settled).await?;
            }
            Ok(holds)
        };
        match self.store.write(write).await {
            Ok(true) => written.store(settled, Ordering::Relaxed),
            Ok(false) => return false,
            Err(error) => self.warn("writing the watermark", &error),
        }
        true
    }

    /// Tries until it works; waits longer each time.
    async fn insist<T, E, F>(&self, what: &'static str, attempt: impl Fn() -> F) -> T
    where
        E: std::fmt::Display,
        F: Future<Output = Result<T, E>>,
    {
        let mut failures = 0;
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(error) => {
                    failures += 1;
                    self.warn(what, &error);
                    self.clock.sleep(BACKOFF.after(failures)).await;
                }
            }
        }
    }

    fn warn(&self, what: &'static str, error: &impl std::fmt::Display) {
        tracing::warn!(context = self.store.name(), %error, "{what} failed; it is tried again");
    }
}
