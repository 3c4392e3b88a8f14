//! What can be seen of a saga.

use cleave_vocabulary::{SagaId, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::persistence::{Entry, Row};
use crate::plan::StepMeta;
use crate::position::{ACTION, COMPENSATION, Phase, State};

/// Where a saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
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

/// A saga as its row and its log tell it; `metas` are the steps of its
/// definition, where that is registered.
pub(crate) fn view(row: Row, log: &[&Entry], metas: Option<&[StepMeta]>) -> SagaView {
    let known = metas.map_or(0, <[_]>::len);
    let logged = log.iter().map(|entry| entry.step + 1).max().unwrap_or(0);
    let steps = (0..known.max(logged)).map(|step| {
        let of_phase = |phase: &str| -> Vec<&LogEntry> {
            let lines = log.iter().filter(|entry| entry.step == step);
            lines
                .map(|entry| &entry.line)
                .filter(|line| line.phase == phase)
                .collect()
        };
        let (acts, undoes) = (of_phase(ACTION), of_phase(COMPENSATION));
        let name = metas
            .and_then(|metas| metas.get(step))
            .map(|meta| meta.name);
        let name = name.or_else(|| acts.first().map(|line| line.name.as_str()));
        let undoing = row.at.phase == Phase::Undoing;
        let current = (row.at.step == step).then_some(&row);
        StepView {
            name: name.unwrap_or_default().to_owned(),
            action: phase_view(&acts, current.filter(|_| !undoing)),
            compensation: (!undoes.is_empty())
                .then(|| phase_view(&undoes, current.filter(|_| undoing))),
        }
    });
    SagaView {
        steps: steps.collect(),
        id: row.id,
        version: row.version,
        status: row.at.status,
        next_attempt_at: row.due_at.filter(|_| row.owner.is_none()),
        created_at: row.created_at,
        updated_at: row.updated_at,
        kind: row.kind,
        subject: row.subject,
    }
}

/// One phase from its lines, and from the row where the saga is at it: the log
/// may be silent about the last of many attempts.
fn phase_view(lines: &[&LogEntry], current: Option<&Row>) -> PhaseView {
    let mut view = PhaseView {
        status: "not_started",
        attempts: 0,
        started_at: lines.first().map(|line| line.at),
        finished_at: None,
        error: None,
    };
    for line in lines {
        view.attempts = view.attempts.max(line.attempt);
        let (status, ended) = match line.outcome.as_str() {
            "started" => ("started", false),
            "done" => ("done", true),
            "refused" => ("refused", true),
            "failed" | "stuck" => ("failed", true),
            "unknown" => ("unknown", false),
            _ => continue,
        };
        view.status = status;
        view.finished_at = ended.then_some(line.at);
        match status {
            "done" => view.error = None,
            "started" => {}
            _ => view.error = line.detail.as_ref().map(text),
        }
    }
    if let Some(row) = current {
        view.attempts = view.attempts.max(row.at.attempt);
        view.error = row.error.clone().or(view.error);
        if row.due_at.is_some() {
            view.finished_at = None;
        }
        if row.due_at.is_some() && view.status != "not_started" {
            view.status = match row.at.state {
                State::Ready => view.status,
                State::Started => "started",
                State::Failed => "failed",
                State::Unknown => "unknown",
            };
        }
    }
    view
}

/// An error as text: the message of a refusal, or what was said.
fn text(detail: &Value) -> String {
    let message = detail.get("message").unwrap_or(detail);
    message
        .as_str()
        .map_or_else(|| message.to_string(), str::to_owned)
}
