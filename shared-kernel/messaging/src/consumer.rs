//! A consumer turns deliveries into units of work: inbox and effect in one
//! commit, order for each key, retries, and dead letters with parked keys.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_store::{StoreError, Tx, UnitError};
use cleave_vocabulary::{Clock, Envelope};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{DeadLetters, EventBus};

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
    /// The store failed; retried for as long as it takes, and never a dead letter.
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

/// The settings of `bus.consumer`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsumerOptions {
    /// Keys handled side by side, for each handler.
    pub concurrency: usize,
    /// Attempts before an event becomes a dead letter.
    pub attempts: u32,
    /// The wait after the first failed attempt; doubles with each, with full jitter.
    #[serde(with = "cleave_vocabulary::duration")]
    pub backoff: Duration,
    /// The longest wait between attempts.
    #[serde(with = "cleave_vocabulary::duration")]
    pub backoff_limit: Duration,
    /// How long the inbox remembers what it handled.
    #[serde(with = "cleave_vocabulary::duration")]
    pub inbox_retention: Duration,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            concurrency: 32,
            attempts: 6,
            backoff: Duration::from_millis(50),
            backoff_limit: Duration::from_secs(5),
            inbox_retention: Duration::from_hours(30 * 24),
        }
    }
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
        _stop: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + 'static, crate::BusError> {
        todo!();
        #[allow(unreachable_code)]
        Ok(async {})
    }
}
