//! What can be seen of a saga.

use cleave_vocabulary::{SagaId, Timestamp};
use serde::Serialize;
use serde_json::Value;

/// Where a saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SagaStatus {
    /// Acting.
    Pending,
    /// Between attempts, or waiting for something to come back.
    Waiting,
    /// Every step done.
    Completed,
    /// Undoing.
    Compensating,
    /// Everything undone.
    Compensated,
    /// A compensation keeps failing: a person is needed.
    Stuck,
}

/// One phase of a step: its action, or its compensation.
#[derive(Debug, Clone, Serialize)]
pub struct PhaseView {
    /// `not_started`, `started`, `done`, `refused`, `failed`, `unknown`.
    pub status: &'static str,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The last error.
    pub error: Option<String>,
}

/// A step of a saga.
#[derive(Debug, Clone, Serialize)]
pub struct StepView {
    /// `reserve_inventory`.
    pub name: String,
    /// Its action.
    pub action: PhaseView,
    /// Its compensation, once that has begun.
    pub compensation: Option<PhaseView>,
}

/// A saga, for people.
#[derive(Debug, Clone, Serialize)]
pub struct SagaView {
    /// Its id.
    pub id: SagaId,
    /// `order_fulfilment`.
    pub kind: String,
    /// The version of its definition.
    pub version: u32,
    /// What it is about: the aggregate's id.
    pub subject: String,
    /// Where it stands.
    pub status: SagaStatus,
    /// Its steps, in the order of the definition.
    pub steps: Vec<StepView>,
    /// When it is looked at again, while it waits.
    pub next_attempt_at: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// A line of a saga's log.
#[derive(Debug, Clone, Serialize)]
pub struct LogEntry {
    /// Rises within the context's database.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// `action` or `compensation`.
    pub phase: String,
    /// The step's name, or the compensation's.
    pub name: String,
    /// `started`, `done`, `refused`, `failed`, `unknown`, `resolved`, `cancelled`, `stuck`, `retried`.
    pub outcome: String,
    /// Which attempt.
    pub attempt: u32,
    /// The error, or the refusal's code.
    pub detail: Option<Value>,
}
