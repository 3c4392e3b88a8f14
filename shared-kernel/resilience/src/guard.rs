//! One guard before each port and each outside adapter.

use std::sync::Arc;

use cleave_vocabulary::{CallContext, Clock, PortError};
use serde::Serialize;

use crate::{BreakerControl, BreakerState, Policy};

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
    /// Calls let through since the start.
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
    #[allow(dead_code)]
    inner: Arc<(String, Policy, Arc<dyn Clock>)>, // the implementer decides
}

impl Guard {
    /// A guard named `caller.callee`.
    pub fn new(name: impl Into<String>, policy: Policy, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::new((name.into(), policy, clock)),
        }
    }

    /// Makes the call under the policy and the call's deadline. `attempt` is
    /// called once for each try. A time limit that passes is a
    /// [`FailureKind::Timeout`](cleave_vocabulary::FailureKind::Timeout) of unknown outcome.
    pub async fn call<T, F>(
        &self,
        _operation: &'static str,
        _idempotence: Idempotence,
        _context: &CallContext,
        attempt: F,
    ) -> Result<T, PortError>
    where
        F: AsyncFn(&CallContext) -> Result<T, PortError>,
    {
        let _ = attempt;
        todo!()
    }

    /// What it has seen.
    pub fn report(&self) -> GuardReport {
        todo!()
    }

    /// Moves its breaker by hand.
    pub fn control(&self, _control: BreakerControl) {
        todo!()
    }
}
