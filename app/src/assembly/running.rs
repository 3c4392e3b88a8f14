//! Contexts in motion: consumers, relays and background tasks, and their orderly end.

use std::sync::Arc;
use std::time::Duration;

use cleave_hosting::{Context, Task};
use cleave_messaging::{Consumer, EventBus, Interest, Relay, Subscription};
use cleave_store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{StartError, World};
use crate::settings::BusSettings;

/// What moves, and how it is stopped.
pub struct Running {
    tasks: Stage,
    relays: Stage,
    consumers: Stage,
    bus: Arc<dyn EventBus>,
    stores: Vec<Store>,
}

/// What the handlers of each context want, wherever it runs: whichever process of a
/// deployment is up first, what it publishes waits for the others.
const INTERESTS: [(&str, &[Interest]); 2] = [
    ("order", cleave_order::INTERESTS),
    ("notification", cleave_notification::INTERESTS),
];

fn is_announced(context: &str, handler: &str) -> bool {
    let mut of = INTERESTS.iter().filter(|(name, _)| *name == context);
    of.any(|(_, interests)| interests.iter().any(|it| it.handler == handler))
}

async fn announce(bus: &dyn EventBus) -> Result<(), StartError> {
    let failed = |error| StartError::of("bus", error);
    let of = |(context, interests): (&'static str, &'static [Interest])| {
        interests.iter().map(move |interest| interest.of(context))
    };
    let all: Vec<Subscription> = INTERESTS.into_iter().flat_map(of).collect();
    bus.announce(&all).await.map_err(failed)?;
    for left in bus.left_behind(&all).await.map_err(failed)? {
        tracing::warn!(
            consumer = left.consumer,
            waiting = left.waiting,
            "events are kept for a handler that this program does not have; where no other version of it runs, delete its consumer: {}",
            left.remedy
        );
    }
    Ok(())
}

/// Tasks that are stopped together.
#[derive(Default)]
struct Stage {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Stage {
    fn run(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            work.await;
            if !stop.is_cancelled() {
                tracing::error!(task = name, "a background task ended by itself");
            }
        });
    }

    /// Tells the tasks to stop and waits for them, up to a limit.
    async fn end(&self, name: &'static str, limit: Duration) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(limit, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                stage = name,
                left = self.tracker.len(),
                "some tasks did not end in time; what they had begun is in their logs"
            );
        }
    }
}

/// Each stage of the stop has a third of what remains after the last requests.
const STAGE_LIMIT: Duration = Duration::from_secs(2);

impl Running {
    /// Announces the handlers of all contexts, wherever they are, subscribes those
    /// that are here, then lets relays and tasks go.
    pub(super) async fn start(
        mut contexts: Vec<Context>,
        bus: Arc<dyn EventBus>,
        outside: Vec<Store>,
        settings: &BusSettings,
        world: &World,
    ) -> Result<Self, StartError> {
        announce(&*bus).await?;
        let (tasks, relays, consumers) = (Stage::default(), Stage::default(), Stage::default());
        for context in &mut contexts {
            debug_assert!(
                context
                    .handlers
                    .iter()
                    .all(|handler| is_announced(context.name, handler.name)),
                "a handler of {} is not announced",
                context.name
            );
            let consumer = Consumer {
                context: context.name,
                handlers: std::mem::take(&mut context.handlers),
                store: context.store.clone(),
                bus: bus.clone(),
                clock: world.clock.clone(),
                options: settings.consumer.clone(),
                dead_letters: context.dead_letters.clone(),
            };
            let name = context.name;
            let consume = consumer
                .start(consumers.stop.clone())
                .await
                .map_err(|error| StartError::of(name, error))?;
            consumers.run(name, consume);
        }
        for context in &mut contexts {
            let relay = Relay::new(
                context.store.clone(),
                bus.clone(),
                world.clock.clone(),
                settings.relay.clone(),
            )
            .with_inboxes_that_remember(settings.consumer.inbox_retention);
            relays.run(context.name, relay.run(relays.stop.clone()));
            for Task { name, run } in context.tasks.drain(..) {
                tasks.run(name, run(tasks.stop.clone()));
            }
        }
        let stores: Vec<Store> = contexts
            .iter()
            .map(|context| context.store.clone())
            .chain(outside)
            .collect();
        tasks.run(
            "meters",
            super::meters::count(stores.clone(), world.clock.clone(), tasks.stop.clone()),
        );
        Ok(Self {
            tasks,
            relays,
            consumers,
            bus,
            stores,
        })
    }

    /// No new work; what has begun is finished or handed to its log; then the
    /// databases are closed.
    pub async fn stop(self) {
        self.tasks.end("tasks", STAGE_LIMIT).await;
        self.relays.end("relays", STAGE_LIMIT).await;
        self.consumers.end("consumers", STAGE_LIMIT).await;
        self.bus.close().await;
        for store in self.stores {
            store.close().await;
        }
    }
}
