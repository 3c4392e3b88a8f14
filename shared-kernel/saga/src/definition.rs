//! What a saga is made of.

use std::time::Duration;

use async_trait::async_trait;
use cleave_store::Tx;
use cleave_vocabulary::{CallContext, Refusal, SagaId};
use sea_orm::DbErr;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A saga's steps under a kind and a version. Sagas in flight keep the version
/// that they began with, so a changed list of steps is a new version, and the
/// old one stays registered until its last saga has ended.
pub trait Definition: Send + Sync + 'static {
    /// What the steps work on; kept with the saga as JSON.
    type Data: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// `order_fulfilment`.
    const KIND: &'static str;
    /// Rises when the list of steps, or the data's meaning, changes.
    const VERSION: u32;

    /// The steps, in order.
    fn steps(&self) -> Vec<Box<dyn Step<Self::Data>>>;
}

/// What a step is to the saga's fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Can be undone.
    Compensatable,
    /// Once it is done the saga goes forward only.
    Pivot,
    /// After the pivot: is retried until it is done.
    Retriable,
}

/// What follows when a step has failed for the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// Undo what was done.
    Compensate,
    /// Wait, trying again with backoff, until it works or the saga is cancelled.
    Wait,
}

/// How often a step is tried, and what then.
#[derive(Debug, Clone)]
pub struct StepPolicy {
    /// Attempts before the step counts as exhausted.
    pub attempts: u32,
    /// The wait after the first failure; doubles with each, with full jitter.
    pub backoff: Duration,
    /// The longest wait.
    pub backoff_limit: Duration,
    /// What follows the last attempt.
    pub exhausted: Exhausted,
    /// How long one attempt may take; longer is an unknown outcome.
    pub time_limit: Duration,
}

impl Default for StepPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            backoff: Duration::from_millis(100),
            backoff_limit: Duration::from_secs(10),
            exhausted: Exhausted::Compensate,
            time_limit: Duration::from_secs(10),
        }
    }
}

/// One attempt at a step, as its code sees it.
#[derive(Debug, Clone)]
pub struct StepCall {
    /// The saga.
    pub saga: SagaId,
    /// The same for each attempt at this step of this saga, and passed on to
    /// whoever acts: `sga_…:reserve_inventory`. Compensations add `:undo`.
    pub key: String,
    /// 1 for the first.
    pub attempt: u32,
    /// Correlation, trace and deadline for the port calls of this attempt.
    pub call: CallContext,
    /// In `on_done`: the saga was cancelled while the step acted, and will be
    /// compensated next.
    pub cancelled: bool,
    /// Why it is being compensated, where someone asked for that: the reason
    /// given to `cancel`, or [`COMPENSATED_BY_HAND`].
    pub reason: Option<String>,
}

/// The reason of a saga that a person had compensated.
pub const COMPENSATED_BY_HAND: &str = "compensated_by_hand";

/// The code of the refusal given to `on_refused` when a step has failed for the
/// last time.
pub const EXHAUSTED: &str = "exhausted";

/// What an action came to.
#[derive(Debug, Clone)]
pub enum Action {
    /// It has happened; the value is given to `on_done` and kept in the log.
    Done(Value),
    /// The other side said no: compensate.
    Refused(Refusal),
    /// It has not happened; try again.
    Failed(String),
    /// It may have happened: ask before anything else.
    Unknown(String),
}

/// What asking about an unknown outcome came to.
#[derive(Debug, Clone)]
pub enum Resolution {
    /// It had happened.
    Done(Value),
    /// It had been refused.
    Refused(Refusal),
    /// It never happened: act again.
    Never,
    /// Still not known; ask again.
    Unknown(String),
}

/// What a compensation came to.
#[derive(Debug, Clone)]
pub enum Undo {
    /// Undone, or there was nothing to undo; either way a late action is a no-op now.
    Done,
    /// Try again.
    Failed(String),
}

/// An action beside its compensation. `act`, `resolve` and `undo` run outside
/// any transaction and may be repeated after a crash: they carry the call's key
/// to the provider, which remembers it. The `on_…` hooks write, in the same
/// commit as the saga's log, what the outcome means here.
#[async_trait]
pub trait Step<D: Send + Sync + 'static>: Send + Sync + 'static {
    /// `reserve_inventory`; stable, as it stands in the log.
    fn name(&self) -> &'static str;

    /// What it is called when undone: `release_inventory`.
    fn undo_name(&self) -> &'static str;

    /// Its part in the saga's fate.
    fn kind(&self) -> StepKind;

    /// How often it is tried.
    fn policy(&self) -> StepPolicy;

    /// Does it.
    async fn act(&self, call: &StepCall, data: &D) -> Action;

    /// Asks the provider, by key, what became of an attempt that never answered.
    async fn resolve(&self, call: &StepCall, data: &D) -> Resolution;

    /// Undoes it; tolerates an action that never happened, and leaves a
    /// tombstone with the provider that turns a late one into a no-op.
    async fn undo(&self, call: &StepCall, data: &D) -> Undo;

    /// What it means here that it is done.
    async fn on_done(
        &self,
        tx: &Tx,
        call: &StepCall,
        data: &mut D,
        output: &Value,
    ) -> Result<(), DbErr>;

    /// What it means here that it was refused, or failed for the last time; the
    /// compensation of the steps before it follows.
    async fn on_refused(
        &self,
        tx: &Tx,
        call: &StepCall,
        data: &mut D,
        refusal: &Refusal,
    ) -> Result<(), DbErr>;

    /// What it means here that it failed and will be tried again (or waited for).
    async fn on_failed(
        &self,
        _tx: &Tx,
        _call: &StepCall,
        _data: &mut D,
        _error: &str,
    ) -> Result<(), DbErr> {
        Ok(())
    }

    /// What it means here that it is undone.
    async fn on_undone(&self, tx: &Tx, call: &StepCall, data: &mut D) -> Result<(), DbErr>;

    /// What it means here that its compensation has failed for the last time, and
    /// a person is needed.
    async fn on_stuck(
        &self,
        _tx: &Tx,
        _call: &StepCall,
        _data: &mut D,
        _error: &str,
    ) -> Result<(), DbErr> {
        Ok(())
    }
}
