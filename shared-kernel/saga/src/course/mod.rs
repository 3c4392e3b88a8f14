//! What follows from what: given where a saga stands and what its step came to,
//! where it stands next, what the log says, and which hook is told. Pure, so
//! that every case can be tried; the driver carries out what is decided here.

#[cfg(test)]
mod exploration;
mod rules;

use std::time::Duration;

use cleave_vocabulary::Refusal;
use serde_json::Value;

use self::rules::Course;
use crate::plan::StepMeta;
use crate::position::{Phase, Position};
use crate::{Action, Resolution, Undo, backoff};

/// What came to pass.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Its time has come: an attempt is to begin.
    Begin,
    /// The action answered, or its time ran out.
    Acted(Action),
    /// The provider was asked about an unanswered attempt.
    Resolved(Resolution),
    /// The compensation answered, or its time ran out.
    Undone(Undo),
    /// What the step came to could not be written down.
    Unwritten(String),
}

/// What a decision takes into account besides the position and the event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// Someone asked for the saga to be compensated.
    pub(crate) cancelled: bool,
    /// The engine is being stopped: nothing new begins.
    pub(crate) stopping: bool,
    /// The attempt was begun by an owner that is gone, so its failure is not the provider's.
    pub(crate) recovered: bool,
    /// Attempts at a compensation.
    pub(crate) compensation_attempts: u32,
    /// A random number, for jitter.
    pub(crate) luck: u64,
}

/// Which hook is told of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Hook {
    None,
    Done(Value),
    Refused(Refusal),
    Failed(String),
    Undone,
    Stuck(String),
}

/// A line for the log, but for its time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) phase: &'static str,
    pub(crate) step: usize,
    pub(crate) name: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) attempt: u32,
    pub(crate) detail: Option<Value>,
}

/// Whether the driver goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// At once, with the step that the new position names.
    GoOn,
    /// Someone will, after this long.
    For(Duration),
    /// No one will, unless a person asks for it.
    Settled,
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Move {
    pub(crate) next: Position,
    pub(crate) hook: Hook,
    pub(crate) lines: Vec<Line>,
    pub(crate) rest: Rest,
    /// The last error, while there is one.
    pub(crate) error: Option<String>,
}

/// Decides what follows from `event` for a saga at `at`.
pub(crate) fn decide(
    metas: &[StepMeta],
    at: &Position,
    event: &Event,
    circumstances: Circumstances,
) -> Move {
    let course = Course {
        metas,
        at,
        now: circumstances,
    };
    match event {
        Event::Begin => course.begin(),
        Event::Acted(Action::Done(output)) => course.done(output),
        Event::Acted(Action::Refused(refusal)) => course.refused(refusal),
        Event::Acted(Action::Failed(error)) => course.failed(error),
        Event::Acted(Action::Unknown(error)) => course.unknown(error, Rest::GoOn),
        Event::Resolved(Resolution::Done(output)) => {
            course.done(output).after(course.resolved("done"))
        }
        Event::Resolved(Resolution::Refused(refusal)) => {
            course.refused(refusal).after(course.resolved("refused"))
        }
        Event::Resolved(Resolution::Never) => course.never(),
        Event::Resolved(Resolution::Unknown(error)) => {
            let wait = backoff::wait(&course.meta().policy, at.asked + 1, circumstances.luck);
            course.unknown(error, Rest::For(wait))
        }
        Event::Undone(Undo::Done) => course.undone(),
        Event::Undone(Undo::Failed(error)) => course.undo_failed(error),
        Event::Unwritten(error) => course.unwritten(error),
    }
}

/// What a step is called in this direction.
pub(crate) fn name(meta: &StepMeta, phase: Phase) -> &'static str {
    match phase {
        Phase::Acting | Phase::Forward => meta.name,
        Phase::Undoing => meta.undo_name,
    }
}

impl Move {
    fn telling(mut self, hook: Hook) -> Self {
        self.hook = hook;
        self
    }

    /// With a line before those it has.
    fn after(mut self, line: Line) -> Self {
        self.lines.insert(0, line);
        self
    }
}
