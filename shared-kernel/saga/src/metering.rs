//! What the engine counts. Labels are names of code and never ids, so that
//! their number stays small.

use std::time::Duration;

use crate::course::Event;
use crate::plan::StepMeta;
use crate::{Action, Resolution, SagaStatus, Undo};

/// A step acted, asked or undid.
pub(crate) fn turned(kind: &'static str, step: &StepMeta, event: &Event, took: Duration) {
    let (what, outcome) = match event {
        Event::Acted(action) => (
            "action",
            match action {
                Action::Done(_) => "done",
                Action::Refused(_) => "refused",
                Action::Failed(_) => "failed",
                Action::Unknown(_) => "unknown",
            },
        ),
        Event::Resolved(resolution) => (
            "resolution",
            match resolution {
                Resolution::Done(_) => "done",
                Resolution::Refused(_) => "refused",
                Resolution::Never => "never",
                Resolution::Unknown(_) => "unknown",
            },
        ),
        Event::Undone(Undo::Done) => ("compensation", "done"),
        Event::Undone(Undo::Failed(_)) => ("compensation", "failed"),
        Event::Begin | Event::Unwritten(_) => return,
    };
    metrics::histogram!("cleave_saga_step_seconds", "kind" => kind, "step" => step.name, "phase" => what)
        .record(took);
    if outcome == "failed" || outcome == "unknown" {
        metrics::counter!("cleave_saga_retries_total", "kind" => kind, "step" => step.name, "phase" => what, "outcome" => outcome)
            .increment(1);
    }
}

/// A saga ended, or got stuck.
pub(crate) fn settled(kind: &'static str, status: SagaStatus) {
    metrics::counter!("cleave_saga_settled_total", "kind" => kind, "status" => status.as_str())
        .increment(1);
    if status == SagaStatus::Stuck {
        metrics::gauge!("cleave_saga_stuck").increment(1.0);
    }
}

/// So many sagas were stuck when the engine started.
#[expect(clippy::cast_precision_loss, reason = "a gauge takes no integers")]
pub(crate) fn stuck(count: u64) {
    metrics::gauge!("cleave_saga_stuck").set(count as f64);
}

/// A person took a stuck saga up.
pub(crate) fn unstuck() {
    metrics::gauge!("cleave_saga_stuck").decrement(1.0);
}

/// An answer came after someone else had taken the saga.
pub(crate) fn stale(kind: &'static str) {
    metrics::counter!("cleave_saga_stale_answers_total", "kind" => kind).increment(1);
}

/// A saga was found that no registered definition can drive.
pub(crate) fn orphaned(kind: &str) {
    metrics::counter!("cleave_saga_undrivable_total", "kind" => kind.to_owned()).increment(1);
}
