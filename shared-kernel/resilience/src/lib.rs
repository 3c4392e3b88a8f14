//! Guards for calls that may fail. One [`Guard`] stands before each port and
//! each outside adapter and combines, from the outside in: bulkhead, retry with
//! a budget, circuit breaker, time limit.
//!
//! Time comes from the [`Clock`](cleave_vocabulary::Clock), so that a test's
//! hands move breakers, waits and limits alike. A call that passes costs a few
//! hundred nanoseconds; timers, clones of the input and log lines are made only
//! once they are needed.

mod breaker;
mod bulkhead;
mod guard;
mod meters;
mod policy;
mod retry;
mod time_limit;

pub use breaker::{BreakerControl, BreakerState, CircuitBreaker, Permit};
pub use bulkhead::{Bulkhead, Place};
pub use guard::{Guard, GuardReport, Idempotence};
pub use policy::{BreakerPolicy, BulkheadPolicy, Policy, RetryPolicy};
pub use retry::RetryBudget;
pub use time_limit::by;
