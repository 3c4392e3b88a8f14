//! Several processes handle what one handler wants, over one database; one of
//! them dies, or the broker does. Every event has its effect once, and those of a
//! key in the order in which they were published.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cleave_messaging::conformance::Sample;
use cleave_messaging::{Delivery, EventBus, Settle, Subscription};
use cleave_nats::NatsOptions;
use cleave_tests::broker::Broker;
use cleave_vocabulary::{Envelope, EventId};
use futures::StreamExt;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use super::{FAMILY, open, options, publish, relay, try_open};

const SUBJECTS: usize = 30;
const EVENTS: usize = 900;
const PATIENCE: Duration = Duration::from_secs(60);

/// The database that the processes share: the effects, and the inbox before them.
#[derive(Default)]
struct Ledger {
    seen: Mutex<HashSet<EventId>>,
    effects: Mutex<BTreeMap<String, Vec<EventId>>>,
    /// How many each process was the first to handle.
    shares: Mutex<BTreeMap<usize, usize>>,
}

impl Ledger {
    fn handle(&self, process: usize, event: &Envelope) {
        let mut effects = self.effects.lock();
        if self.seen.lock().insert(event.id) {
            let of_subject = effects.entry(event.subject.clone()).or_default();
            of_subject.push(event.id);
            *self.shares.lock().entry(process).or_default() += 1;
        }
    }

    fn count(&self) -> usize {
        self.seen.lock().len()
    }

    async fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        let wait = async {
            while !reached(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        let shares = self.shares.lock().clone();
        waited.unwrap_or_else(|_| panic!("never {what}: {} handled, {shares:?}", self.count()));
    }
}

/// Begins to read, in as many starts as it takes: the servers of a cluster that is only
/// just made answer when they have chosen who leads, on a slow machine after the limit.
async fn subscribed(
    options: NatsOptions,
    wanted: Subscription,
) -> (Arc<dyn EventBus>, BoxStream<'static, Delivery>) {
    loop {
        if let Ok(bus) = try_open(options.clone()).await
            && let Ok(deliveries) = bus.subscribe(wanted.clone()).await
        {
            return (bus, deliveries);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A process as far as the broker can tell: a connection and threads of its own.
struct Process(Option<Runtime>);

impl Process {
    fn start(
        number: usize,
        options: NatsOptions,
        wanted: Subscription,
        ledger: Arc<Ledger>,
    ) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.spawn(async move {
            let (_bus, mut deliveries) = subscribed(options, wanted).await;
            while let Some(first) = deliveries.next().await {
                let mut more = deliveries.by_ref().ready_chunks(7);
                let more = tokio::time::timeout(Duration::from_millis(1), more.next()).await;
                let mut in_hand: Vec<Delivery> = vec![first];
                in_hand.extend(more.ok().flatten().unwrap_or_default());
                // What came last is done first: only keys keep an order.
                for delivery in in_hand.into_iter().rev() {
                    ledger.handle(number, &delivery.envelope);
                    delivery.settle(Settle::Ack);
                }
            }
        });
        Self(Some(runtime))
    }

    /// Ends it where it stands: its connection breaks off, its leases stay.
    fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

struct Fleet {
    ledger: Arc<Ledger>,
    sample: Sample,
    options: NatsOptions,
    started: usize,
}

impl Fleet {
    fn new(broker: &Broker) -> Self {
        Self::with(options(broker))
    }

    fn with(options: NatsOptions) -> Self {
        Self {
            ledger: Arc::default(),
            sample: Sample::default(),
            options,
            started: 0,
        }
    }

    fn wanted(&self) -> Subscription {
        Subscription {
            consumer: self.sample.name("shared"),
            types: vec![self.sample.name("thing"), self.sample.name("other")],
        }
    }

    /// The bus of who publishes; it knows of the handlers of others, as every process does.
    async fn bus(&self) -> Arc<dyn EventBus> {
        let bus = open(self.options.clone()).await;
        let announced = bus.announce(&[self.wanted()]).await;
        announced.expect("announced");
        bus
    }

    fn process(&mut self) -> Process {
        self.started += 1;
        let (wanted, ledger) = (self.wanted(), self.ledger.clone());
        Process::start(self.started, self.options.clone(), wanted, ledger)
    }

    /// Of two types, so that order holds across them.
    fn events(&self) -> Vec<Arc<Envelope>> {
        let event = |number: usize| {
            let kind = if number.is_multiple_of(3) {
                "other"
            } else {
                "thing"
            };
            let subject = format!("subject-{}", number % SUBJECTS);
            self.sample.event(&self.sample.name(kind), &subject)
        };
        (0..EVENTS).map(event).collect()
    }

    /// A first event, so that no process misses one by being late.
    async fn warm_up(&self, bus: &Arc<dyn EventBus>) {
        let wait = async {
            while self.ledger.count() == 0 {
                let event = self.sample.event(&self.sample.name("thing"), "first");
                publish(bus, &[event]).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.expect("a first event arrives");
    }

    fn check(&self, events: &[Arc<Envelope>]) {
        let mut published: BTreeMap<String, Vec<EventId>> = BTreeMap::new();
        for event in events {
            let of_subject = published.entry(event.subject.clone()).or_default();
            of_subject.push(event.id);
        }
        let mut effects = self.ledger.effects.lock().clone();
        effects.remove("first");
        assert_eq!(effects, published);
    }

    /// Has them published while something `happens`, and demands that each has its effect.
    async fn handles_all(
        &self,
        bus: &Arc<dyn EventBus>,
        events: &[Arc<Envelope>],
        happens: impl Future<Output = ()>,
    ) {
        let handled = |ledger: &Ledger| {
            let seen = ledger.seen.lock();
            events.iter().all(|event| seen.contains(&event.id))
        };
        let known = bus.incarnation(FAMILY).await.expect("told");
        tokio::select! {
            never = relay(bus, events, known, 0) => match never {},
            () = async {
                happens.await;
                self.ledger.until("all handled", handled).await;
            } => {}
        }
        self.check(events);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_dies_and_the_others_go_on() {
    let broker = Broker::start().await;
    let mut fleet = Fleet::new(&broker);
    let bus = fleet.bus().await;
    let doomed = fleet.process();
    fleet.warm_up(&bus).await;
    let _others = [fleet.process(), fleet.process()];
    let (ledger, events) = (fleet.ledger.clone(), fleet.events());
    let killing = async {
        let reached = |ledger: &Ledger| ledger.count() >= EVENTS / 3;
        ledger.until("a third handled", reached).await;
        doomed.kill();
    };
    fleet.handles_all(&bus, &events, killing).await;
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_dies_and_comes_back() {
    let mut broker = Broker::start().await;
    let mut fleet = Fleet::new(&broker);
    let bus = fleet.bus().await;
    let _processes = [fleet.process(), fleet.process()];
    fleet.warm_up(&bus).await;
    let (ledger, events) = (fleet.ledger.clone(), fleet.events());
    let killing = async {
        for third in 1..3 {
            let reached = |ledger: &Ledger| ledger.count() >= EVENTS / 3 * third;
            ledger.until("a third handled", reached).await;
            broker.start_again().await;
        }
    };
    fleet.handles_all(&bus, &events, killing).await;
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_is_away_for_longer_than_a_lease() {
    let mut broker = Broker::start().await;
    let mut fleet = Fleet::new(&broker);
    let bus = fleet.bus().await;
    let _processes = [fleet.process(), fleet.process()];
    fleet.warm_up(&bus).await;
    assert_eq!(bus.health(), Ok(()));
    let (ledger, events) = (fleet.ledger.clone(), fleet.events());
    let killing = async {
        let reached = |ledger: &Ledger| ledger.count() >= EVENTS / 2;
        ledger.until("half handled", reached).await;
        broker.kill();
        let away = |_: &Ledger| bus.health().is_err();
        ledger.until("known to be away", away).await;
        tokio::time::sleep(fleet.options.lease * 2).await;
        broker.start_again().await;
    };
    fleet.handles_all(&bus, &events, killing).await;
    assert_eq!(bus.health(), Ok(()));
    bus.close().await;
}

/// Nothing ends the connection to a machine that has lost its power.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_falls_silent_is_known_to_be_away() {
    let broker = Broker::start().await;
    let bus = open(options(&broker)).await;
    let ledger = Ledger::default();
    assert_eq!(bus.health(), Ok(()));
    broker.halt();
    let away = |_: &Ledger| bus.health().is_err();
    ledger.until("known to be away", away).await;
    broker.let_on();
    let back = |_: &Ledger| bus.health().is_ok();
    ledger.until("known to be back", back).await;
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_a_cluster_dies_for_good() {
    let mut cluster = Broker::start_cluster().await;
    let mut fleet = Fleet::with(NatsOptions {
        url: Some(cluster.each_ref().map(Broker::url).join(",")),
        replicas: cluster.len(),
        ..options(&cluster[0])
    });
    let opening = async {
        // They have to find each other and choose who leads.
        loop {
            match try_open(fleet.options.clone()).await {
                Ok(bus) => return bus,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let bus = tokio::time::timeout(PATIENCE, opening).await;
    let bus = bus.expect("a cluster");
    let _processes = [fleet.process(), fleet.process()];
    fleet.warm_up(&bus).await;
    let (ledger, events) = (fleet.ledger.clone(), fleet.events());
    let killing = async {
        let reached = |ledger: &Ledger| ledger.count() >= EVENTS / 3;
        ledger.until("a third handled", reached).await;
        cluster[0].kill();
    };
    fleet.handles_all(&bus, &events, killing).await;
    bus.close().await;
}
