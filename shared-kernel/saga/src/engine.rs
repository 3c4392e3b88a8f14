//! Runs sagas: drives, retries, compensates, waits, and takes up after a crash.

use std::sync::Arc;
use std::time::Duration;

use cleave_store::{Store, Tx, Unit};
use cleave_vocabulary::{CallContext, Clock, IdSource, SagaId, Timestamp};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{Definition, DefinitionError, LogEntry, SagaStatus, SagaView};

/// The settings of `saga`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineOptions {
    /// Sagas driven side by side.
    pub concurrency: usize,
    /// How long a claim on a saga holds; must outlive every step's time limit.
    #[serde(with = "cleave_vocabulary::duration")]
    pub lease: Duration,
    /// How often due timers and lapsed leases are looked for.
    #[serde(with = "cleave_vocabulary::duration")]
    pub poll: Duration,
    /// Attempts at a compensation before the saga is stuck.
    pub compensation_attempts: u32,
    /// How long a stop waits for the actions in flight.
    #[serde(with = "cleave_vocabulary::duration")]
    pub drain: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            concurrency: 256,
            lease: Duration::from_secs(30),
            poll: Duration::from_millis(250),
            compensation_attempts: 8,
            drain: Duration::from_secs(5),
        }
    }
}

/// What an engine is built from.
pub struct EngineParts {
    /// Where sagas, their log, and their effects are.
    pub store: Store,
    /// Tells the time, and waits.
    pub clock: Arc<dyn Clock>,
    /// Gives ids.
    pub ids: Arc<dyn IdSource>,
    /// The settings.
    pub options: EngineOptions,
    /// No other process has this database (SQLite): at start every claim that is found is of a dead process.
    pub sole_owner: bool,
}

/// How a saga begins: within the unit of work of its first step.
pub struct Begin<D> {
    /// Its id.
    pub id: SagaId,
    /// The aggregate it is about.
    pub subject: String,
    /// What its steps work on.
    pub data: D,
    /// Correlation and trace, kept with it.
    pub call: CallContext,
    /// How many steps the caller's own unit of work does: they are logged as done.
    pub done_steps: usize,
}

/// Which sagas to list.
#[derive(Debug, Default, Clone)]
pub struct SagaFilter {
    /// Of this status only.
    pub status: Option<SagaStatus>,
    /// About this aggregate only.
    pub subject: Option<String>,
    /// Older than this one.
    pub before: Option<SagaId>,
    /// At most so many.
    pub limit: u64,
}

/// What a person asks of a stuck or waiting saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeup {
    /// Try again, now.
    Retry,
    /// Undo what was done.
    Compensate,
}

/// Why a saga was not taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSuchSaga {
    /// There is none of this id.
    Unknown,
    /// It is neither stuck nor waiting (or is past its pivot).
    NotApplicable,
}

/// The engine of one context. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    #[allow(dead_code)]
    inner: Arc<EngineParts>, // the implementer decides
}

impl Engine {
    /// An engine with no definitions yet.
    pub fn new(parts: EngineParts) -> Self {
        Self {
            inner: Arc::new(parts),
        }
    }

    /// Registers a definition, once its steps and the settings are found to make sense together.
    pub fn register<D: Definition>(&self, _definition: D) -> Result<(), DefinitionError> {
        todo!()
    }

    /// Begins a saga within the caller's unit of work; it is driven from the
    /// moment the unit commits.
    pub async fn begin<D: Definition>(
        &self,
        _tx: &Tx,
        _begin: Begin<D::Data>,
    ) -> Result<(), DbErr> {
        todo!()
    }

    /// Within the caller's unit of work: the saga about `subject` is to be
    /// compensated, with `reason` in its log. Wakes it out of its backoff. False
    /// where it has ended, is being compensated already, or is past its pivot.
    pub async fn cancel(&self, _tx: &Tx, _subject: &str, _reason: &str) -> Result<bool, DbErr> {
        todo!()
    }

    /// Takes up a stuck or waiting saga.
    pub async fn take_up(&self, _id: SagaId, _how: Takeup) -> Unit<SagaView, NoSuchSaga> {
        todo!()
    }

    /// One saga.
    pub async fn find(&self, _id: SagaId) -> Unit<Option<SagaView>> {
        todo!()
    }

    /// Newest first.
    pub async fn list(&self, _filter: SagaFilter) -> Unit<Vec<SagaView>> {
        todo!()
    }

    /// The log of the saga about `subject`, behind `after`, in order.
    pub async fn log_of(_tx: &Tx, _subject: &str, _after: i64) -> Result<Vec<LogEntry>, DbErr> {
        todo!()
    }

    /// Returns once the saga about `subject` has ended or is stuck, or at
    /// `deadline`, with its status at that time; `None` where there is none.
    pub async fn wait_settled(
        &self,
        _subject: &str,
        _deadline: Timestamp,
    ) -> Unit<Option<SagaStatus>> {
        todo!()
    }

    /// Sagas that are neither finished nor owned by anyone, nor waiting for a time or a person.
    pub async fn unowned(&self) -> Unit<Vec<SagaId>> {
        todo!()
    }

    /// Takes up what a crash left, and due timers, until `stop`; then lets go of
    /// its claims once the steps in flight have ended, and returns.
    pub async fn run(&self, _stop: CancellationToken) {
        todo!()
    }
}
