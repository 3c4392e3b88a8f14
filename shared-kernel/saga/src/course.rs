//! What follows from what: given where a saga stands and what its step came to,
//! where it stands next, what the log says, and which hook is told. Pure, so
//! that every case can be tried; the driver carries out what is decided here.

use std::time::Duration;

use cleave_vocabulary::Refusal;
use serde_json::{Value, json};

use crate::plan::StepMeta;
use crate::position::{Phase, Position, State};
use crate::{Action, EXHAUSTED, Exhausted, Resolution, SagaStatus, StepKind, Undo, backoff};

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

struct Course<'a> {
    metas: &'a [StepMeta],
    at: &'a Position,
    now: Circumstances,
}

impl Course<'_> {
    fn meta(&self) -> &StepMeta {
        &self.metas[self.at.step]
    }

    /// Whether a cancellation still counts.
    fn turns_back(&self) -> bool {
        self.now.cancelled && self.at.phase == Phase::Acting
    }

    fn begin(&self) -> Move {
        if self.turns_back() {
            let first = match self.at.state {
                State::Ready => self.at.step.checked_sub(1),
                State::Started | State::Failed | State::Unknown => Some(self.at.step),
            };
            return self.undo_from(first);
        }
        let mut next = Position {
            attempt: self.at.attempt + 1,
            tries: self.at.tries + 1,
            ..Position::started(self.at.phase, self.at.step)
        };
        next.asked = 0;
        let lines = if self.quiet(&next) {
            Vec::new()
        } else {
            vec![self.line_of(&next, "started", None)]
        };
        Move {
            next,
            hook: Hook::None,
            lines,
            rest: Rest::GoOn,
            error: None,
        }
    }

    /// Beyond the last attempt of the policy only an end is logged: a log must
    /// not grow for as long as a provider is away. The row keeps the count.
    fn quiet(&self, at: &Position) -> bool {
        at.phase != Phase::Undoing && at.tries > self.meta().policy.attempts
    }

    fn done(&self, output: &Value) -> Move {
        let detail = (!output.is_null()).then(|| output.clone());
        let follows = if self.turns_back() {
            self.undo_from(Some(self.at.step))
        } else {
            let phase = match self.meta().kind {
                StepKind::Pivot => Phase::Forward,
                StepKind::Compensatable | StepKind::Retriable => self.at.phase,
            };
            let step = self.at.step + 1;
            if step == self.metas.len() {
                self.settle(phase, SagaStatus::Completed)
            } else {
                self.enter(phase, step)
            }
        };
        follows
            .telling(Hook::Done(output.clone()))
            .after(self.line("done", detail))
    }

    fn refused(&self, refusal: &Refusal) -> Move {
        let detail = json!({"code": refusal.code, "message": refusal.message});
        if self.at.phase == Phase::Forward {
            // No way back and no way on: the definition promised that this can't be.
            let error = refusal.to_string();
            return self.stick(&error).after(self.line("refused", Some(detail)));
        }
        self.undo_from(self.at.step.checked_sub(1))
            .telling(Hook::Refused(refusal.clone()))
            .after(self.line("refused", Some(detail)))
    }

    fn failed(&self, error: &str) -> Move {
        let line = self.line("failed", Some(error.into()));
        if self.turns_back() {
            return self.undo_from(Some(self.at.step)).after(line);
        }
        let policy = &self.meta().policy;
        let forward = self.at.phase == Phase::Forward;
        if self.at.tries < policy.attempts {
            let wait = backoff::wait(policy, self.at.tries, self.now.luck);
            return self.wait(State::Failed, wait, error).after(line);
        }
        if !forward && policy.exhausted == Exhausted::Compensate {
            let refusal = Refusal::new(EXHAUSTED, error);
            return self
                .undo_from(Some(self.at.step))
                .telling(Hook::Refused(refusal))
                .after(line);
        }
        let wait = backoff::longest(policy, self.now.luck);
        let waits = self.wait(State::Failed, wait, error);
        if self.quiet(self.at) {
            waits
        } else {
            waits.after(line)
        }
    }

    /// It was not answered: is asked about at once the first time, then with backoff.
    fn unknown(&self, error: &str, rest: Rest) -> Move {
        let first = self.at.state == State::Started && !self.quiet(self.at);
        let mut next = Position {
            state: State::Unknown,
            ..*self.at
        };
        if let Rest::For(_) = rest {
            next.asked += 1;
            next.status = SagaStatus::Waiting;
        }
        let known = Move {
            next,
            hook: Hook::None,
            lines: Vec::new(),
            rest,
            error: Some(error.to_owned()),
        };
        if first {
            known.after(self.line("unknown", Some(error.into())))
        } else {
            known
        }
    }

    /// The unanswered attempt never reached its provider.
    fn never(&self) -> Move {
        let line = self.resolved("never");
        let retry_at_once = self.now.recovered && !self.turns_back() && !self.now.stopping;
        if retry_at_once {
            // Nor does it count as a try: it was the engine that went away.
            let mut again = self.begin();
            again.next.tries = self.at.tries;
            return again.after(line);
        }
        if self.turns_back() {
            // What never happened may still be under way: its undo leaves a tombstone.
            return self.undo_from(Some(self.at.step)).after(line);
        }
        let failed = self.failed("the attempt never reached its provider");
        if self.quiet(self.at) {
            failed
        } else {
            failed.after(line)
        }
    }

    fn undone(&self) -> Move {
        self.undo_from(self.at.step.checked_sub(1))
            .telling(Hook::Undone)
            .after(self.line("done", None))
    }

    fn undo_failed(&self, error: &str) -> Move {
        let line = self.line("failed", Some(error.into()));
        if self.at.tries >= self.now.compensation_attempts {
            return self.stick(error).after(line);
        }
        let wait = backoff::wait(&self.meta().policy, self.at.tries, self.now.luck);
        self.wait(State::Failed, wait, error).after(line)
    }

    /// The outcome is lost with the commit that failed, so it is asked for again
    /// (an undo is done again) after the longest backoff.
    fn unwritten(&self, error: &str) -> Move {
        let state = match (self.at.state, self.at.phase) {
            (State::Started, Phase::Undoing) => State::Failed,
            (State::Started, _) => State::Unknown,
            (known, _) => known,
        };
        let wait = backoff::longest(&self.meta().policy, self.now.luck);
        Move {
            hook: Hook::None,
            ..self.wait(state, wait, error)
        }
    }

    /// Undoes from this step backwards; without one, everything is undone.
    fn undo_from(&self, first: Option<usize>) -> Move {
        match first {
            Some(step) => self.enter(Phase::Undoing, step),
            None => self.settle(Phase::Undoing, SagaStatus::Compensated),
        }
    }

    /// Begins another step, in the same commit that ends the one before.
    fn enter(&self, phase: Phase, step: usize) -> Move {
        let (next, rest) = if self.now.stopping {
            (Position::ready(phase, step), Rest::For(Duration::ZERO))
        } else {
            (Position::started(phase, step), Rest::GoOn)
        };
        let mut lines = Vec::new();
        if next.state == State::Started {
            lines.push(self.line_of(&next, "started", None));
        }
        Move {
            next,
            hook: Hook::None,
            lines,
            rest,
            error: None,
        }
    }

    fn settle(&self, phase: Phase, status: SagaStatus) -> Move {
        Move {
            next: Position {
                status,
                phase,
                state: State::Ready,
                ..*self.at
            },
            hook: Hook::None,
            lines: Vec::new(),
            rest: Rest::Settled,
            error: None,
        }
    }

    fn stick(&self, error: &str) -> Move {
        let mut stuck = self.settle(self.at.phase, SagaStatus::Stuck);
        stuck.next.state = State::Failed;
        stuck.error = Some(error.to_owned());
        let line = self.line("stuck", Some(error.into()));
        stuck.telling(Hook::Stuck(error.to_owned())).after(line)
    }

    fn wait(&self, state: State, wait: Duration, error: &str) -> Move {
        let (status, hook) = match self.at.phase {
            Phase::Undoing => (SagaStatus::Compensating, Hook::None),
            Phase::Acting | Phase::Forward => (SagaStatus::Waiting, Hook::Failed(error.to_owned())),
        };
        Move {
            next: Position {
                status,
                state,
                ..*self.at
            },
            hook,
            lines: Vec::new(),
            rest: Rest::For(wait),
            error: Some(error.to_owned()),
        }
    }

    fn resolved(&self, what: &'static str) -> Line {
        self.line("resolved", Some(json!(what)))
    }

    /// A line about the attempt that has just ended.
    fn line(&self, outcome: &'static str, detail: Option<Value>) -> Line {
        self.line_of(self.at, outcome, detail)
    }

    fn line_of(&self, at: &Position, outcome: &'static str, detail: Option<Value>) -> Line {
        Line {
            phase: at.phase.logged(),
            step: at.step,
            name: name(&self.metas[at.step], at.phase),
            outcome,
            attempt: at.attempt,
            detail,
        }
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
