//! Runs sagas: drives, retries, compensates, waits, and takes up after a crash.
//! What is begun is driven at once by a task of its own; a saga that waits is
//! only a row. The engine acts while [`Engine::run`] does, and no longer.

mod adrift;
mod begin;
mod core;
mod driver;
mod poller;
mod presence;
mod settled;
mod shift;
mod takeup;
mod views;
mod write;

use std::sync::Arc;
use std::time::Duration;

use cleave_store::{Store, Tx, Unit};
use cleave_vocabulary::{CallContext, Clock, IdSource, SagaId, Timestamp};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::core::Core;
use crate::course::Line;
use crate::persistence::{self, append};
use crate::plan::Plan;
use crate::position::ACTION;
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
    /// How long a process that died keeps its sagas from the others, where several
    /// share a database.
    #[serde(with = "cleave_vocabulary::duration")]
    pub presence: Duration,
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
            presence: Duration::from_secs(5),
            poll: Duration::from_millis(250),
            compensation_attempts: 60,
            drain: Duration::from_secs(5),
        }
    }
}

impl EngineOptions {
    /// What is wrong with them; `at` is where the settings have them.
    pub fn validate(&self, at: &str) -> Result<(), String> {
        for (name, fits, allowed) in [
            ("concurrency", self.concurrency > 0, "1 or more"),
            ("lease", !self.lease.is_zero(), "longer than 0ms"),
            ("poll", !self.poll.is_zero(), "longer than 0ms"),
            (
                "presence",
                self.presence >= Duration::from_millis(100),
                "100ms or more",
            ),
            (
                "compensation_attempts",
                self.compensation_attempts > 0,
                "1 or more",
            ),
        ] {
            if !fits {
                return Err(format!("{at}.{name} must be {allowed}"));
            }
        }
        Ok(())
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
    /// No other process has this database: at start every claim that is found is of a dead process.
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
    core: Arc<Core>,
}

impl Engine {
    /// An engine with no definitions yet.
    pub fn new(parts: EngineParts) -> Self {
        Self {
            core: Arc::new(Core::new(parts)),
        }
    }

    /// Registers a definition, once its steps and the settings are found to make
    /// sense together. All are registered before [`Engine::run`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a definition is the engine's from then on"
    )]
    pub fn register<D: Definition>(&self, definition: D) -> Result<(), DefinitionError> {
        let plan = Plan::of(&definition, &self.core.options)?;
        if self.core.add(Arc::new(plan)) {
            return Ok(());
        }
        Err(DefinitionError {
            kind: D::KIND,
            version: D::VERSION,
            reason: "it is registered already".into(),
        })
    }

    /// Begins a saga within the caller's unit of work; it is driven from the
    /// moment the unit commits.
    pub async fn begin<D: Definition>(&self, tx: &Tx, begin: Begin<D::Data>) -> Result<(), DbErr> {
        begin::begin::<D>(&self.core, tx, begin).await
    }

    /// Within the caller's unit of work: the saga about `subject` is to be
    /// compensated, with `reason` in its log. Wakes it out of its backoff; an
    /// attempt under way is brought to its end first. True for one caller only:
    /// false where it was cancelled before, has ended, is being compensated
    /// already, or is past its pivot.
    pub async fn cancel(&self, tx: &Tx, subject: &str, reason: &str) -> Result<bool, DbErr> {
        let now = self.core.clock.now();
        let cancelled = persistence::cancel(tx, subject, reason, now).await?;
        for row in &cancelled {
            let plan = self.core.plan(&row.kind, row.version);
            let step = plan.as_ref().and_then(|plan| plan.metas().get(row.at.step));
            let line = Line {
                phase: ACTION,
                step: row.at.step,
                name: step.map_or("", |step| step.name),
                outcome: "cancelled",
                attempt: row.at.attempt,
                detail: Some(json!(reason)),
            };
            append(tx, row.id, now, &[line]).await?;
        }
        let core = Arc::clone(&self.core);
        tx.after_commit(move || core.due(now));
        Ok(!cancelled.is_empty())
    }

    /// Takes up a stuck or waiting saga.
    pub async fn take_up(&self, id: SagaId, how: Takeup) -> Unit<SagaView, NoSuchSaga> {
        takeup::take_up(&self.core, id, how).await
    }

    /// One saga.
    pub async fn find(&self, id: SagaId) -> Unit<Option<SagaView>> {
        views::find(&self.core, id).await
    }

    /// Newest first.
    pub async fn list(&self, filter: SagaFilter) -> Unit<Vec<SagaView>> {
        views::list(&self.core, filter).await
    }

    /// The log of the saga about `subject`, behind `after`, in order.
    pub async fn log_of(tx: &Tx, subject: &str, after: i64) -> Result<Vec<LogEntry>, DbErr> {
        let entries = persistence::entries_about(tx, subject, after).await?;
        Ok(entries.into_iter().map(|entry| entry.line).collect())
    }

    /// Returns once the saga about `subject` has ended or is stuck, or at
    /// `deadline`, with its status at that time; `None` where there is none.
    pub async fn wait_settled(
        &self,
        subject: &str,
        deadline: Timestamp,
    ) -> Unit<Option<SagaStatus>> {
        views::wait_settled(&self.core, subject, deadline).await
    }

    /// Sagas that are neither finished nor owned by anyone, nor waiting for a time or a person.
    pub async fn unowned(&self) -> Unit<Vec<SagaId>> {
        views::unowned(&self.core).await
    }

    /// Takes up what a crash left, and due timers, until `stop`; then lets go of
    /// its claims once the steps in flight have ended, and returns. Dropped
    /// before that, it leaves everything as a crash would. One run at a time.
    pub async fn run(&self, stop: CancellationToken) {
        poller::run(&self.core, stop).await;
    }
}
