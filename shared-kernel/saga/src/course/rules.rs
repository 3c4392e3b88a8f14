//! The rules themselves.

use std::time::Duration;

use cleave_vocabulary::Refusal;
use serde_json::{Value, json};

use super::{Circumstances, Hook, Line, Move, Rest, name};
use crate::plan::StepMeta;
use crate::position::{Phase, Position, State};
use crate::{EXHAUSTED, Exhausted, SagaStatus, StepKind, backoff};

/// A saga at a place, under circumstances.
pub(super) struct Course<'a> {
    pub(super) metas: &'a [StepMeta],
    pub(super) at: &'a Position,
    pub(super) now: Circumstances,
}

impl Course<'_> {
    pub(super) fn meta(&self) -> &StepMeta {
        &self.metas[self.at.step]
    }

    /// Whether a cancellation still counts.
    fn turns_back(&self) -> bool {
        self.now.cancelled && self.at.phase == Phase::Acting
    }

    pub(super) fn begin(&self) -> Move {
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

    pub(super) fn done(&self, output: &Value) -> Move {
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

    pub(super) fn refused(&self, refusal: &Refusal) -> Move {
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

    pub(super) fn failed(&self, error: &str) -> Move {
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
        let wait = backoff::patient(policy, self.at.tries, self.now.luck);
        let waits = self.wait(State::Failed, wait, error);
        if self.quiet(self.at) {
            waits
        } else {
            waits.after(line)
        }
    }

    /// It was not answered: is asked about at once the first time, then with backoff.
    pub(super) fn unknown(&self, error: &str, rest: Rest) -> Move {
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
    pub(super) fn never(&self) -> Move {
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

    pub(super) fn undone(&self) -> Move {
        self.undo_from(self.at.step.checked_sub(1))
            .telling(Hook::Undone)
            .after(self.line("done", None))
    }

    pub(super) fn undo_failed(&self, error: &str) -> Move {
        let line = self.line("failed", Some(error.into()));
        if self.at.tries >= self.now.compensation_attempts {
            return self.stick(error).after(line);
        }
        let wait = backoff::wait(&self.meta().policy, self.at.tries, self.now.luck);
        self.wait(State::Failed, wait, error).after(line)
    }

    /// The outcome is lost with the commit that failed, so it is asked for again
    /// (an undo is done again) after the longest backoff.
    pub(super) fn unwritten(&self, error: &str) -> Move {
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

    pub(super) fn resolved(&self, what: &'static str) -> Line {
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
