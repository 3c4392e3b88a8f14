//! A context with nothing but messaging: a store, a bus, a relay, a consumer,
//! and handlers that do what a test tells them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_messaging::conformance::Sample;
use cleave_messaging::{
    Consumer, ConsumerOptions, DeadLetter, DeadLetters, EventBus, EventHandler, HandleError,
    Handled, Handler, InProcessBus, InProcessOptions, Outbox, Relay, RelayHandle, RelayOptions,
};
use cleave_nats::{NatsBus, NatsOptions};
use cleave_store::{Tx, Unit};
use cleave_tests::broker::Broker;
use cleave_tests::stores::TempStore;
use cleave_vocabulary::{Clock, Envelope, EventId, ManualClock};
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(super) const KIND: &str = "thing.happened";

/// What a handler does with the next event of a subject.
#[derive(Debug, Clone, Copy)]
pub(super) enum Does {
    Later,
    Poison,
    Panic,
    BreakConstraint,
    WaitForSomethingElse,
}

/// What the handler `recorder` is told to do, by subject; it records the event
/// where it is told nothing. Others always do.
#[derive(Default)]
pub(super) struct Script {
    next: Mutex<HashMap<String, Vec<Does>>>,
    always: Mutex<HashMap<String, (Does, Option<EventId>)>>,
}

impl Script {
    /// The next attempts at events of a subject meet this, one each.
    pub(super) fn next(&self, subject: &str, does: &[Does]) {
        let does = does.iter().rev().copied().collect();
        self.next.lock().insert(subject.to_owned(), does);
    }

    /// The next event of a subject meets this at every attempt, until it is healed.
    pub(super) fn always(&self, subject: &str, does: Does) {
        self.always.lock().insert(subject.to_owned(), (does, None));
    }

    pub(super) fn heal(&self, subject: &str) {
        self.always.lock().remove(subject);
    }

    fn says(&self, event: &Envelope) -> Option<Does> {
        if let Some((does, whose)) = self.always.lock().get_mut(&event.subject)
            && *whose.get_or_insert(event.id) == event.id
        {
            return Some(*does);
        }
        self.next.lock().get_mut(&event.subject).and_then(Vec::pop)
    }
}

struct Recorder {
    name: &'static str,
    script: Arc<Script>,
}

impl Recorder {
    /// The effect: a row in the transaction of the inbox.
    async fn record(&self, tx: &Tx, event: &Envelope) -> Result<(), sea_orm::DbErr> {
        let sql = "INSERT INTO effects (handler, subject, event) VALUES ($1, $2, $3)";
        let values = [
            self.name.into(),
            event.subject.as_str().into(),
            event.id.uuid().into(),
        ];
        let backend = tx.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        tx.execute_raw(statement).await.map(drop)
    }
}

#[async_trait]
impl EventHandler for Recorder {
    async fn handle(&self, tx: &Tx, event: &Envelope) -> Result<Handled, HandleError> {
        self.record(tx, event).await?;
        let says = (self.name == "recorder").then(|| self.script.says(event));
        match says.flatten() {
            None => Ok(Handled::Done),
            Some(Does::Later) => Err(HandleError::Later("not yet".into())),
            Some(Does::Poison) => Err(HandleError::Poison("makes no sense".into())),
            Some(Does::Panic) => panic!("a handler's defect"),
            Some(Does::BreakConstraint) => {
                tx.execute_unprepared("INSERT INTO effects (handler) VALUES (NULL)")
                    .await?;
                Ok(Handled::Done)
            }
            Some(Does::WaitForSomethingElse) => {
                std::future::pending::<()>().await;
                Ok(Handled::Done)
            }
        }
    }
}

/// The context under test.
pub(super) struct World {
    pub(super) temp: TempStore,
    pub(super) bus: Arc<dyn EventBus>,
    pub(super) clock: ManualClock,
    pub(super) script: Arc<Script>,
    pub(super) dead_letters: DeadLetters,
    sample: Sample,
    /// What carries its events, where that is not the process itself.
    broker: Option<Broker>,
}

/// A bus as after a start of the process.
async fn start_bus(broker: Option<&Broker>, clock: &ManualClock) -> Arc<dyn EventBus> {
    let clock = Arc::new(clock.clone());
    let Some(broker) = broker else {
        let options = InProcessOptions::default();
        return Arc::new(InProcessBus::new(&options, clock));
    };
    let options = NatsOptions {
        url: Some(broker.url()),
        lease: Duration::from_secs(1),
        ..NatsOptions::default()
    };
    let instance = Sample::default().name("instance");
    let bus = NatsBus::open(options, instance, clock).await;
    Arc::new(bus.expect("opens"))
}

/// Something that runs until it is stopped, or killed.
pub(super) struct Running {
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Running {
    fn new(stop: CancellationToken, run: impl Future<Output = ()> + Send + 'static) -> Self {
        let task = std::iter::once(run).collect();
        Self { stop, task }
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.join_all().await;
    }

    /// Ends it where it stands, as a crash would.
    pub(super) async fn kill(mut self) {
        self.task.shutdown().await;
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::over(TempStore::open::<cleave_migrations::order::Migrator>().await).await
    }

    /// The same, with a broker of its own.
    pub(super) async fn over_nats() -> Self {
        let temp = TempStore::open::<cleave_migrations::order::Migrator>().await;
        Self::with(temp, Some(Broker::start().await)).await
    }

    pub(super) async fn over(temp: TempStore) -> Self {
        Self::with(temp, None).await
    }

    async fn with(temp: TempStore, broker: Option<Broker>) -> Self {
        let table = async |tx: &Tx| -> Unit<()> {
            let (place, event) = match tx.get_database_backend() {
                DbBackend::Sqlite => ("integer", "uuid_text"),
                _ => ("bigint GENERATED ALWAYS AS IDENTITY", "uuid"),
            };
            let effects = format!(
                "CREATE TABLE effects (place {place} PRIMARY KEY, handler text NOT NULL, \
                 subject text NOT NULL, event {event} NOT NULL)"
            );
            tx.execute_unprepared(&effects).await?;
            Ok(())
        };
        temp.store.write(table).await.expect("a table for effects");
        let clock = ManualClock::default();
        let dead_letters = DeadLetters::new(temp.store.clone());
        Self {
            bus: start_bus(broker.as_ref(), &clock).await,
            broker,
            temp,
            clock,
            script: Arc::default(),
            dead_letters,
            sample: Sample::default(),
        }
    }

    /// As after a restart of the process: the store is the same, the rest is new.
    pub(super) async fn restart(&mut self) {
        self.bus.close().await;
        self.bus = start_bus(self.broker.as_ref(), &self.clock).await;
        self.dead_letters = DeadLetters::new(self.temp.store.clone());
    }

    pub(super) async fn consumer(&self, handlers: &[&'static str]) -> Running {
        let handler = |name: &&'static str| Handler {
            name,
            types: &[KIND],
            apply: Arc::new(Recorder {
                name,
                script: self.script.clone(),
            }),
        };
        let consumer = Consumer {
            context: "test",
            handlers: handlers.iter().map(handler).collect(),
            store: self.temp.store.clone(),
            bus: self.bus.clone(),
            clock: Arc::new(self.clock.clone()),
            options: ConsumerOptions::default(),
            dead_letters: self.dead_letters.clone(),
        };
        let stop = CancellationToken::new();
        let run = consumer.start(stop.clone()).await.expect("subscribes");
        Running::new(stop, run)
    }

    pub(super) fn relay(&self) -> (Running, RelayHandle) {
        self.relay_to(self.bus.clone())
    }

    pub(super) fn relay_to(&self, bus: Arc<dyn EventBus>) -> (Running, RelayHandle) {
        let (store, clock) = (self.temp.store.clone(), Arc::new(self.clock.clone()));
        let relay = Relay::new(store, bus, clock, RelayOptions::default());
        let (handle, stop) = (relay.handle(), CancellationToken::new());
        (Running::new(stop.clone(), relay.run(stop)), handle)
    }

    pub(super) fn event(&self, subject: &str) -> Arc<Envelope> {
        self.sample.event(KIND, subject)
    }

    /// Writes an event of each subject in one unit of work.
    pub(super) async fn emit(&self, subjects: &[&str]) -> Vec<EventId> {
        self.emit_aged(subjects, Duration::ZERO).await
    }

    /// The same, of things that happened so long ago.
    pub(super) async fn emit_aged(&self, subjects: &[&str], age: Duration) -> Vec<EventId> {
        let event = |subject: &&str| Envelope {
            time: self.clock.now().minus(age),
            ..self.event(subject).as_ref().clone()
        };
        let events: Vec<Envelope> = subjects.iter().map(event).collect();
        let ids = events.iter().map(|event| event.id).collect();
        let append = async move |tx: &Tx| -> Unit<()> { Ok(Outbox::append(tx, &events).await?) };
        self.temp.store.write(append).await.expect("appended");
        ids
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl AsyncFn(&Tx) -> Unit<T> + Send + 'static,
    ) -> T {
        self.temp.store.read(query).await.expect("read")
    }

    /// What a handler recorded about a subject, in order.
    pub(super) async fn effects(&self, handler: &'static str, subject: &str) -> Vec<EventId> {
        let subject = subject.to_owned();
        self.read(async move |tx| {
            let sql =
                "SELECT event FROM effects WHERE handler = $1 AND subject = $2 ORDER BY place";
            let values = [handler.into(), subject.as_str().into()];
            let backend = tx.get_database_backend();
            let statement = Statement::from_sql_and_values(backend, sql, values);
            let rows = tx.query_all_raw(statement).await?;
            let events = rows.iter().map(|row| row.try_get("", "event"));
            Ok(events
                .map(|event| event.map(EventId::from_uuid))
                .collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Waits until a handler has recorded exactly these about a subject.
    pub(super) async fn expect(&self, handler: &'static str, subject: &str, events: &[EventId]) {
        self.eventually("the effects", async || {
            self.effects(handler, subject).await == events
        })
        .await;
    }

    pub(super) async fn letters(&self) -> Vec<DeadLetter> {
        self.dead_letters.list(None, 100).await.expect("listed")
    }

    /// Waits until there are so many dead letters.
    pub(super) async fn expect_letters(&self, count: usize) -> Vec<DeadLetter> {
        self.eventually("the dead letters", async || {
            self.letters().await.len() == count
        })
        .await;
        self.letters().await
    }

    /// Waits for a condition while the clock goes on.
    pub(super) async fn eventually(&self, what: &str, condition: impl AsyncFn() -> bool) {
        let wait = async {
            while !condition().await {
                self.clock.advance(Duration::from_millis(500));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let patience = Duration::from_secs(20);
        let waited = tokio::time::timeout(patience, wait).await;
        waited.unwrap_or_else(|_| panic!("{what} did not come in {patience:?}"));
    }
}

/// Waits until all that was committed has been settled.
pub(super) async fn settled(relay: &RelayHandle) {
    let settled = tokio::time::timeout(Duration::from_secs(20), relay.settled()).await;
    settled.expect("in time").expect("settled");
}
