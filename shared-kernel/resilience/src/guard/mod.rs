//! One guard before each port and each outside adapter.

mod call;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cleave_vocabulary::{CallContext, Clock, PortError};
use serde::Serialize;

use self::call::Call;
use crate::meters::{Meters, Totals};
use crate::{BreakerControl, BreakerState, Bulkhead, CircuitBreaker, Policy, RetryBudget};

/// Whether a call may be repeated after an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotence {
    /// A query, or a command with a key: safe to repeat.
    Safe,
    /// Not to be repeated unless it is certain that it did nothing.
    Once,
}

/// What a guard has seen.
#[derive(Debug, Clone, Serialize)]
pub struct GuardReport {
    /// `order.payment`: who calls what.
    pub name: String,
    /// The breaker's state.
    pub state: BreakerState,
    /// Calls let through since the start, each repeat counted.
    pub calls: u64,
    /// Failures among them.
    pub failures: u64,
    /// Refusals among them (which are answers).
    pub refusals: u64,
    /// Slow calls among them.
    pub slow: u64,
    /// Attempts that were repeats.
    pub retries: u64,
    /// Calls not let through: breaker open, or bulkhead full.
    pub rejected: u64,
    /// Calls under way.
    pub in_flight: usize,
}

/// Guards the calls of one caller to one port or adapter. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    policy: Policy,
    clock: Arc<dyn Clock>,
    bulkhead: Bulkhead,
    budget: RetryBudget,
    breaker: CircuitBreaker,
    meters: Meters,
    totals: Totals,
}

impl Guard {
    /// A guard named `caller.callee`.
    pub fn new(name: impl Into<String>, policy: Policy, clock: Arc<dyn Clock>) -> Self {
        let name: Arc<str> = name.into().into();
        let inner = Inner {
            bulkhead: Bulkhead::new(&policy.bulkhead),
            budget: RetryBudget::new(policy.retry.budget_percent),
            breaker: CircuitBreaker::new(name.clone(), policy.breaker.clone(), clock.clone()),
            meters: Meters::default(),
            totals: Totals::default(),
            name,
            policy,
            clock,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Makes the call under the policy and the call's deadline. `attempt` is
    /// called once for each try, with the moment at which nobody will listen any
    /// more as its deadline. A time limit that passes is a
    /// [`FailureKind::Timeout`](cleave_vocabulary::FailureKind::Timeout) of unknown outcome; after an attempt of unknown
    /// outcome, so is whatever failure ends the call. Dropping the future gives
    /// back everything that it held.
    ///
    /// `attempt` takes its context by value: the futures of an async closure that
    /// borrows it can't be shown to be `Send` to a caller that is itself async.
    ///
    /// ```
    /// # use cleave_resilience::{Guard, Idempotence};
    /// # use cleave_vocabulary::{CallContext, PortError};
    /// # struct Gateway;
    /// # impl Gateway {
    /// #     async fn charge(&self, _: &CallContext, _: &str) -> Result<(), PortError> { Ok(()) }
    /// # }
    /// async fn charge(guard: &Guard, gateway: &Gateway, call: &CallContext) -> Result<(), PortError> {
    ///     let key = "k";
    ///     guard
    ///         .call("charge", Idempotence::Safe, call, |call| async move {
    ///             gateway.charge(&call, key).await
    ///         })
    ///         .await
    /// }
    /// ```
    pub async fn call<T, F>(
        &self,
        operation: &'static str,
        idempotence: Idempotence,
        context: &CallContext,
        attempt: impl FnMut(CallContext) -> F,
    ) -> Result<T, PortError>
    where
        F: Future<Output = Result<T, PortError>>,
    {
        let inner = &*self.inner;
        let started = inner.clock.now();
        let meter = inner.meters.of(&inner.name, operation);
        let mut call = Call {
            guard: inner,
            meter: &meter,
            idempotence,
            context,
            now: started,
        };
        let result = call.make(attempt).await;
        meter.ended(&result, call.now.since(started));
        result
    }

    /// `caller.callee`.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// How many attempts a call may take: 1 where nothing is repeated.
    pub fn attempts(&self) -> u32 {
        self.inner.policy.retry.attempts.max(1)
    }

    /// What it has seen.
    pub fn report(&self) -> GuardReport {
        let inner = &*self.inner;
        let totals = &inner.totals;
        GuardReport {
            name: inner.name.to_string(),
            state: inner.breaker.state(),
            calls: totals.calls.load(Ordering::Relaxed),
            failures: totals.failures.load(Ordering::Relaxed),
            refusals: totals.refusals.load(Ordering::Relaxed),
            slow: totals.slow.load(Ordering::Relaxed),
            retries: totals.retries.load(Ordering::Relaxed),
            rejected: totals.rejected.load(Ordering::Relaxed),
            in_flight: inner.bulkhead.in_flight(),
        }
    }

    /// Moves its breaker by hand.
    pub fn control(&self, control: BreakerControl) {
        self.inner.breaker.control(control);
    }
}
