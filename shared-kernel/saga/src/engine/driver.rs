//! Drives one saga, from where it stands to its next rest, in one task. Each
//! turn does one thing outside any transaction (acts, asks, undoes), decides
//! what follows, and writes that in one commit, with the step's hook.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use cleave_store::{StoreError, Tx, Unit, UnitError};
use cleave_vocabulary::{CallContext, SagaId, Timestamp};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::core::{Core, Registered};
use super::shift::{Left, Shift};
use super::write::Write;
use crate::course::{Circumstances, Event, Move, Rest, decide};
use crate::persistence::{Hold, Missed, Row, renew, set_aside};
use crate::plan::{Plan, StepMeta};
use crate::position::{Phase, Position, State};
use crate::{Action, Resolution, SagaStatus, StepCall, Undo, metering};

/// How often a commit that the database fails is tried before the saga is set aside.
const COMMIT_TRIES: u32 = 4;
/// The wait before the second of them; doubles.
const COMMIT_BACKOFF: Duration = Duration::from_millis(50);
/// The longest wait between them, where it is only room that is lacking.
const COMMIT_BACKOFF_LIMIT: Duration = Duration::from_secs(1);

/// What data must be able to do.
pub(crate) trait Data: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Data for T {}

/// A saga in the hands of its driver.
pub(crate) struct Live<T> {
    pub(crate) id: SagaId,
    pub(crate) subject: String,
    pub(crate) fence: i64,
    pub(crate) at: Position,
    /// The attempt at hand was begun by an owner that is gone.
    pub(crate) recovered: bool,
    /// Why it is to be compensated.
    pub(crate) reason: Option<String>,
    pub(crate) data: Arc<T>,
    pub(crate) call: CallContext,
    pub(crate) held_until: Timestamp,
}

impl<T: Data> Registered for Plan<T> {
    fn name(&self) -> (&'static str, u32) {
        (self.kind, self.version)
    }

    fn metas(&self) -> &[StepMeta] {
        &self.metas
    }

    fn resume(
        self: Arc<Self>,
        core: Arc<Core>,
        shift: Arc<Shift>,
        row: Row,
    ) -> BoxFuture<'static, Left> {
        async move {
            let why = match serde_json::from_str(&row.data) {
                Ok(data) if row.at.step < self.steps.len() => {
                    let live = Live::of(row, data);
                    return Driver::new(core, shift, self, live).run().await;
                }
                Ok(_) => "it stands at a step that its definition does not have".to_owned(),
                Err(error) => format!("its data can't be read: {error}"),
            };
            unreadable(&core, &row, &why).await;
            Left::AtRest
        }
        .boxed()
    }
}

/// Says that a saga can't be driven, and has it wait for a program that can.
async fn unreadable(core: &Core, row: &Row, error: &str) {
    if row.error.as_deref() != Some(error) {
        tracing::error!(saga = %row.id, kind = row.kind, version = row.version, error, "a saga can't be driven");
    }
    metering::orphaned(&row.kind);
    let (id, fence, error) = (row.id, row.fence, error.to_owned());
    let until = core.clock.now().plus(core.options.lease);
    let unit =
        async move |tx: &Tx| -> Unit<()> { Ok(set_aside(tx, id, fence, until, &error).await?) };
    if let Err(error) = core.store.write(unit).await {
        tracing::warn!(saga = %id, %error, "a saga that can't be driven could not be set aside");
    }
    core.due(until);
}

impl<T> Live<T> {
    fn of(row: Row, data: T) -> Self {
        Self {
            id: row.id,
            subject: row.subject,
            fence: row.fence,
            at: row.at,
            recovered: row.at.state == State::Started,
            reason: row.cancel_reason,
            data: Arc::new(data),
            call: row.call,
            held_until: row.due_at.unwrap_or(Timestamp::EPOCH),
        }
    }
}

/// What a turn does.
enum Task {
    Begin,
    Act,
    Resolve,
    Undo,
}

/// Whether there is another turn.
enum Went {
    On,
    Left(Left),
}

pub(crate) struct Driver<T> {
    core: Arc<Core>,
    shift: Arc<Shift>,
    plan: Arc<Plan<T>>,
    live: Live<T>,
}

impl<T: Data> Driver<T> {
    pub(crate) fn new(
        core: Arc<Core>,
        shift: Arc<Shift>,
        plan: Arc<Plan<T>>,
        live: Live<T>,
    ) -> Self {
        Self {
            core,
            shift,
            plan,
            live,
        }
    }

    /// Drives it until it rests, ends, or is someone else's.
    pub(crate) async fn run(mut self) -> Left {
        loop {
            let task = self.task();
            // What has begun is brought to its end; nothing else is begun.
            let begun = matches!(task, Task::Act | Task::Undo);
            if self.shift.stop.is_cancelled() && !begun {
                return Left::AtRest;
            }
            if begun && !self.hold().await {
                return Left::Adrift;
            }
            let call = self.call();
            let event = self.perform(task, &call).await;
            if let Went::Left(left) = self.commit(event, call).await {
                return left;
            }
        }
    }

    fn task(&self) -> Task {
        match (self.live.at.state, self.live.at.phase) {
            (State::Ready | State::Failed, _) => Task::Begin,
            (State::Started | State::Unknown, Phase::Undoing) => Task::Undo,
            (State::Started, _) if !self.live.recovered => Task::Act,
            (State::Started | State::Unknown, _) => Task::Resolve,
        }
    }

    fn meta(&self) -> &StepMeta {
        &self.plan.metas[self.live.at.step]
    }

    /// Makes the claim outlast the attempt; false where it is lost.
    async fn hold(&mut self) -> bool {
        let now = self.core.clock.now();
        if self.live.held_until >= now.plus(self.meta().policy.time_limit) {
            return true;
        }
        let until = now.plus(self.core.options.lease);
        let (id, fence, owner) = (self.live.id, self.live.fence, self.core.owner);
        let unit =
            async move |tx: &Tx| -> Unit<bool> { Ok(renew(tx, id, fence, owner, until).await?) };
        let held = matches!(self.core.store.write(unit).await, Ok(true));
        if held {
            self.live.held_until = until;
        }
        held
    }

    fn call(&self) -> StepCall {
        let (live, meta) = (&self.live, self.meta());
        let undo = match live.at.phase {
            Phase::Acting | Phase::Forward => "",
            Phase::Undoing => ":undo",
        };
        let key = format!("{}:{}{undo}", live.id, meta.name);
        let deadline = self.core.own_clock.now().plus(meta.policy.time_limit);
        StepCall {
            saga: live.id,
            call: live.call.clone().caused_by(key.clone()).until(deadline),
            key,
            attempt: live.at.attempt,
            cancelled: live.reason.is_some(),
            reason: live.reason.clone(),
        }
    }

    async fn perform(&self, task: Task, call: &StepCall) -> Event {
        let step = &self.plan.steps[self.live.at.step];
        let data = self.live.data.as_ref();
        let limit = self.meta().policy.time_limit;
        let began = self.core.own_clock.now();
        let event = match task {
            Task::Begin => return Event::Begin,
            Task::Act => {
                let acted = self.within(limit, step.act(call, data)).await;
                Event::Acted(acted.unwrap_or_else(Action::Unknown))
            }
            Task::Resolve => {
                let resolved = self.within(limit, step.resolve(call, data)).await;
                Event::Resolved(resolved.unwrap_or_else(Resolution::Unknown))
            }
            Task::Undo => {
                let undone = self.within(limit, step.undo(call, data)).await;
                Event::Undone(undone.unwrap_or_else(Undo::Failed))
            }
        };
        let took = self.core.own_clock.now().since(began);
        metering::turned(self.plan.kind, self.meta(), &event, took);
        event
    }

    /// What the step's code answers within its time; otherwise why it did not.
    async fn within<O>(
        &self,
        limit: Duration,
        work: impl Future<Output = O> + Send,
    ) -> Result<O, String> {
        let until = self.core.own_clock.now().plus(limit);
        tokio::select! {
            biased;
            answer = AssertUnwindSafe(work).catch_unwind() => answer.map_err(|_| {
                tracing::error!(saga = %self.live.id, step = self.meta().name, "a step panicked");
                "the step panicked".to_owned()
            }),
            () = self.core.own_clock.sleep_until(until) => {
                Err(format!("no answer within {}", cleave_vocabulary::duration::format(limit)))
            }
        }
    }

    /// Writes what follows from `event`, however often the store must be asked.
    async fn commit(&mut self, mut event: Event, mut call: StepCall) -> Went {
        let mut tries = 0;
        loop {
            let decision = decide(
                &self.plan.metas,
                &self.live.at,
                &event,
                self.circumstances(),
            );
            let write = Arc::new(self.write_of(decision, &call));
            let unit = {
                let write = Arc::clone(&write);
                async move |tx: &Tx| write.run(tx).await
            };
            let error = match self.core.store.write(unit).await {
                Ok(data) => return self.moved(&write, data),
                Err(UnitError::Refused(Missed::Cancelled(reason))) => {
                    call.cancelled = true;
                    call.reason = Some(reason.clone());
                    self.live.reason = Some(reason);
                    continue;
                }
                Err(UnitError::Refused(Missed::Lost)) => {
                    metering::stale(self.plan.kind);
                    return Went::Left(Left::Adrift);
                }
                Err(UnitError::Failed(StoreError::Closed { .. })) => {
                    return Went::Left(Left::AtRest);
                }
                Err(UnitError::Failed(error)) => error,
            };
            tries += 1;
            if self.is_worth_another(&error, tries) {
                tracing::debug!(saga = %self.live.id, %error, tries, "a commit is tried again");
                let wait = COMMIT_BACKOFF.saturating_mul(1 << (tries - 1).min(16));
                self.core.clock.sleep(wait.min(COMMIT_BACKOFF_LIMIT)).await;
                continue;
            }
            tracing::error!(saga = %self.live.id, step = self.meta().name, %error,
                "what a step came to could not be written");
            if matches!(event, Event::Unwritten(_)) {
                // The claim will lapse, and whoever takes the saga up asks again.
                return Went::Left(Left::AtRest);
            }
            event = Event::Unwritten("what it came to could not be written".into());
            tries = 0;
        }
    }

    /// A store in passing trouble is asked for as long as the claim holds; any other
    /// trouble is likely to stay.
    fn is_worth_another(&self, error: &StoreError, tries: u32) -> bool {
        let passing = error.is_passing();
        let held = self.live.held_until > self.core.clock.now().plus(COMMIT_BACKOFF_LIMIT);
        tries < COMMIT_TRIES || passing && held
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances {
            cancelled: self.live.reason.is_some(),
            stopping: self.shift.stop.is_cancelled(),
            recovered: self.live.recovered,
            compensation_attempts: self.core.options.compensation_attempts,
            luck: rand::random(),
        }
    }

    fn write_of(&self, decision: Move, call: &StepCall) -> Write<T> {
        let now = self.core.clock.now();
        let hold = match decision.rest {
            Rest::For(wait) => Hold::Released(Some(now.plus(wait))),
            Rest::Settled => Hold::Released(None),
            Rest::GoOn => {
                let lease = self.core.options.lease;
                let limit = self.plan.metas[decision.next.step].policy.time_limit;
                let slack = lease.saturating_sub(limit) / 2;
                if self.live.held_until < now.plus(limit).plus(slack) {
                    Hold::Until(now.plus(lease))
                } else {
                    Hold::Same
                }
            }
        };
        Write {
            plan: Arc::clone(&self.plan),
            id: self.live.id,
            fence: self.live.fence,
            from: self.live.at,
            data: Arc::clone(&self.live.data),
            call: call.clone(),
            decision,
            hold,
            now,
        }
    }

    /// Takes note of what was written.
    fn moved(&mut self, write: &Write<T>, data: Option<T>) -> Went {
        let Move { next, rest, .. } = &write.decision;
        self.live.at = *next;
        self.live.recovered = false;
        if let Some(data) = data {
            self.live.data = Arc::new(data);
        }
        match (write.hold, rest) {
            (Hold::Released(Some(due)), _) => {
                self.core.due(due);
                Went::Left(Left::AtRest)
            }
            (Hold::Released(None), _) => {
                self.settled(write);
                Went::Left(Left::AtRest)
            }
            (Hold::Until(until), _) => {
                self.live.held_until = until;
                Went::On
            }
            (Hold::Same, _) => Went::On,
        }
    }

    fn settled(&self, write: &Write<T>) {
        let status = write.decision.next.status;
        if status == SagaStatus::Stuck {
            let error = write.decision.error.as_deref().unwrap_or_default();
            tracing::error!(saga = %self.live.id, step = self.meta().name, error,
                "a saga is stuck and waits for a person");
        }
        metering::settled(self.plan.kind, status);
        self.core.settled.tell(&self.live.subject, status);
    }
}
