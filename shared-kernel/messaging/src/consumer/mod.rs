//! A consumer turns deliveries into units of work: inbox and effect in one
//! commit, order for each key, retries, and dead letters with parked keys.
//!
//! Each handler has a lane of its own. A lane takes what has arrived, of as many
//! keys as it may, into one unit of work; where that fails, each event gets a
//! unit of its own, so that one that cannot be handled takes no other with it.

mod desk;
mod lane;
mod options;
mod redriver;
mod sweep;

use std::sync::Arc;

use async_trait::async_trait;
use cleave_store::{StoreError, Tx, Unit, UnitError};
use cleave_vocabulary::{Clock, Envelope};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dead_letters::rows;
use crate::{BusError, DeadLetters, EventBus, Subscription};
use desk::Desk;
use lane::Lane;
pub use options::ConsumerOptions;
use redriver::Redriver;

/// What handling came to, where it came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// The effect is in the transaction.
    Done,
    /// Nothing to do here, for good.
    Ignored,
}

/// Why an event could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// It never can be: it goes to the dead letters at once.
    #[error("the event makes no sense here: {0}")]
    Poison(String),
    /// It may be, later.
    #[error("not now: {0}")]
    Later(String),
    /// The store failed. Retried for as long as the store is in trouble; what
    /// fails while the store is well (a panic, a broken constraint) is the
    /// handler's own failure and counts as an attempt.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sea_orm::DbErr> for HandleError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl From<UnitError<std::convert::Infallible>> for HandleError {
    fn from(error: UnitError<std::convert::Infallible>) -> Self {
        Self::Store(error.into_store_error())
    }
}

impl From<serde_json::Error> for HandleError {
    fn from(error: serde_json::Error) -> Self {
        Self::Poison(error.to_string())
    }
}

/// The effect of an event, written once against the transaction it commits in.
#[async_trait]
pub trait EventHandler: Send + Sync + 'static {
    /// Applies the event within `tx`. Whatever must happen outside is written
    /// here as work to do, and done by someone else.
    async fn handle(&self, tx: &Tx, event: &Envelope) -> Result<Handled, HandleError>;

    /// Applies events of different keys within `tx`, all or none of them. A
    /// handler whose effect is rows may write those of many in one statement.
    async fn handle_all(&self, tx: &Tx, events: &[Arc<Envelope>]) -> Result<(), HandleError> {
        for event in events {
            self.handle(tx, event).await?;
        }
        Ok(())
    }
}

/// A handler under its stable name: the name is the key of its inbox.
#[derive(Clone)]
pub struct Handler {
    /// Unique within the context: `read_model`.
    pub name: &'static str,
    /// The types of events it handles.
    pub types: &'static [&'static str],
    /// What it does.
    pub apply: Arc<dyn EventHandler>,
}

/// Runs the handlers of one context over its store.
pub struct Consumer {
    /// The context's name, the first part of each consumer's name on the bus.
    pub context: &'static str,
    /// Its handlers.
    pub handlers: Vec<Handler>,
    /// Where inbox, dead letters and effects are.
    pub store: cleave_store::Store,
    /// Where events come from.
    pub bus: Arc<dyn EventBus>,
    /// Tells the time, and waits.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub options: ConsumerOptions,
    /// Its dead letters, through which a person redrives.
    pub dead_letters: DeadLetters,
}

impl Consumer {
    /// Subscribes every handler; after this no event that is published is missed.
    /// The future that it returns handles events until `stop`, finishes what it
    /// has begun, and returns.
    pub async fn start(
        self,
        stop: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + 'static, BusError> {
        let names = self.handlers.iter().map(|handler| handler.name).collect();
        self.dead_letters.serve(names);
        let mut tasks: Vec<futures::future::BoxFuture<'static, ()>> = Vec::new();
        let mut desks = Vec::new();
        for handler in &self.handlers {
            let deliveries = self.bus.subscribe(self.subscription(handler)).await?;
            let desk = Arc::new(self.desk(handler));
            desks.push(desk.clone());
            tasks.push(Box::pin(Lane::new(desk, deliveries).run(stop.clone())));
        }
        self.report_missing().await;
        let redriver = Redriver::new(self.store.clone(), desks);
        tasks.push(Box::pin(redriver.run(stop.clone())));
        let (store, clock) = (self.store.clone(), self.clock.clone());
        tasks.push(Box::pin(sweep::run(
            store,
            clock,
            self.options.inbox_retention,
            stop,
        )));
        Ok(async move {
            let mut running: JoinSet<()> = tasks.into_iter().collect();
            while let Some(ended) = running.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(context = self.context, %error, "part of a consumer ended");
                }
            }
        })
    }

    fn subscription(&self, handler: &Handler) -> Subscription {
        Subscription {
            consumer: format!("{}.{}", self.context, handler.name),
            types: handler.types.iter().map(ToString::to_string).collect(),
        }
    }

    fn desk(&self, handler: &Handler) -> Desk {
        Desk::new(
            self.context,
            handler.clone(),
            self.store.clone(),
            self.clock.clone(),
            self.options.clone(),
        )
    }

    /// A handler that exists no more is reported, and its letters are kept.
    async fn report_missing(&self) {
        let letters = async |tx: &Tx| -> Unit<_> { Ok(rows::handlers(tx).await?) };
        for (handler, letters) in self.store.read(letters).await.unwrap_or_default() {
            if !self.handlers.iter().any(|known| known.name == handler) {
                let context = self.context;
                tracing::warn!(
                    context,
                    handler,
                    letters,
                    "dead letters of a handler that exists no more"
                );
            }
        }
    }
}
