//! One call on its way through a guard: its place in the bulkhead, its attempts,
//! and what their outcomes tell the breaker and the caller.

use cleave_vocabulary::{CallContext, Failure, FailureKind, PortError, Timestamp};
use tracing::Instrument;

use super::{Idempotence, Inner};
use crate::bulkhead::Place;
use crate::meters::{Meter, bump};
use crate::time_limit;

/// `now` is the clock's last word: the clock is asked again only where time can
/// have passed.
pub(super) struct Call<'a> {
    pub(super) guard: &'a Inner,
    pub(super) meter: &'a Meter,
    pub(super) idempotence: Idempotence,
    pub(super) context: &'a CallContext,
    pub(super) now: Timestamp,
}

/// What came of one attempt.
enum Attempt<T> {
    /// A value or a refusal: the end of the call.
    Answered(Result<T, PortError>),
    /// Made, and not answered.
    Failed(Failure),
    /// Not made at all.
    NotMade(Failure),
}

impl<'a> Call<'a> {
    /// The answer, or the last attempt's failure. An earlier attempt that may
    /// have acted keeps the whole call in doubt.
    pub(super) async fn make<T, F>(
        &mut self,
        mut attempt: impl FnMut(CallContext) -> F,
    ) -> Result<T, PortError>
    where
        F: Future<Output = Result<T, PortError>>,
    {
        let _place = self.enter().await?;
        self.guard.budget.deposit();
        let mut last: Option<Failure> = None;
        let mut made = 0;
        loop {
            let mut failure = match self.attempt(&mut attempt).await {
                Attempt::Answered(answer) => return answer,
                Attempt::Failed(failure) => failure,
                Attempt::NotMade(rejection) => return Err(last.unwrap_or(rejection).into()),
            };
            failure.outcome_unknown |= last.is_some_and(|last| last.outcome_unknown);
            made += 1;
            if !self.wait_to_repeat(made, &failure).await {
                return Err(failure.into());
            }
            last = Some(failure);
        }
    }

    async fn enter(&mut self) -> Result<Place<'a>, Failure> {
        let guard = self.guard;
        if let Some(place) = guard.bulkhead.try_enter() {
            return Ok(place);
        }
        let deadline = self.context.deadline;
        let entered = guard.bulkhead.wait(&*guard.clock, deadline).await;
        self.now = guard.clock.now();
        if let Err(failure) = &entered
            && failure.kind == FailureKind::Overloaded
        {
            bump(&guard.totals.rejected);
        }
        entered
    }

    async fn attempt<T, F>(&mut self, attempt: &mut impl FnMut(CallContext) -> F) -> Attempt<T>
    where
        F: Future<Output = Result<T, PortError>>,
    {
        let guard = self.guard;
        let until = self.now.plus(guard.policy.time_limit);
        let context = self.context.clone().until(until);
        let until = context.deadline.unwrap_or(until);
        if until <= self.now {
            return Attempt::NotMade(timeout(false, "the deadline passed before the call"));
        }
        let Some(permit) = guard.breaker.try_acquire() else {
            bump(&guard.totals.rejected);
            let message = "the circuit breaker is open";
            return Attempt::NotMade(Failure::clean(FailureKind::BreakerOpen, message));
        };
        bump(&guard.totals.calls);
        let span = tracing::debug_span!("port_call", name = %guard.name, operation = self.meter.operation());
        let work = attempt(context).instrument(span);
        let result = time_limit::by(&*guard.clock, until, work).await;
        let began = std::mem::replace(&mut self.now, guard.clock.now());
        let result = result.unwrap_or_else(|| Err(timeout(true, "no answer in time").into()));
        if permit.record(counts_as_failure(&result), self.now.since(began)) {
            bump(&guard.totals.slow);
        }
        match result {
            Err(PortError::Failed(failure)) => {
                bump(&guard.totals.failures);
                Attempt::Failed(failure)
            }
            Err(PortError::Refused(refusal)) => {
                bump(&guard.totals.refusals);
                Attempt::Answered(Err(refusal.into()))
            }
            Ok(value) => Attempt::Answered(Ok(value)),
        }
    }

    /// Whether there is to be another attempt, once its time has come. The
    /// deadline, not the caller's patience, decides: a wait beyond it is not begun.
    async fn wait_to_repeat(&mut self, made: u32, failure: &Failure) -> bool {
        let retry = &self.guard.policy.retry;
        if !retry.allows(made, self.idempotence, failure) {
            return false;
        }
        let at = self.now.plus(retry.wait(made, &mut rand::rng()));
        if self.context.deadline.is_some_and(|deadline| deadline <= at) {
            return false;
        }
        if !self.guard.budget.withdraw() {
            return false;
        }
        tracing::debug!(name = %self.guard.name, operation = self.meter.operation(), made, %failure, "port call is repeated");
        self.guard.clock.sleep_until(at).await;
        self.now = self.guard.clock.now();
        bump(&self.guard.totals.retries);
        self.meter.retried();
        true
    }
}

fn timeout(sent: bool, message: &str) -> Failure {
    if sent {
        Failure::unknown(FailureKind::Timeout, message)
    } else {
        Failure::clean(FailureKind::Timeout, message)
    }
}

/// Only a failure counts against the breaker. One that says that a breaker
/// further down is open does not: that breaker protects already, and this one
/// would shut out the operations that have no need of what is away.
fn counts_as_failure<T>(result: &Result<T, PortError>) -> bool {
    match result {
        Err(PortError::Failed(failure)) => failure.kind != FailureKind::BreakerOpen,
        Ok(_) | Err(PortError::Refused(_)) => false,
    }
}
