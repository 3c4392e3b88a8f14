//! Guards for calls that may fail. One [`Guard`] stands before each port and
//! each outside adapter and combines, from the outside in: bulkhead, retry with
//! a budget, circuit breaker, time limit.

mod breaker;
mod bulkhead;
mod guard;
mod policy;
mod retry;

pub use breaker::{BreakerControl, BreakerState, CircuitBreaker};
pub use bulkhead::Bulkhead;
pub use guard::{Guard, GuardReport, Idempotence};
pub use policy::{BreakerPolicy, BulkheadPolicy, Policy, RetryPolicy};
pub use retry::RetryBudget;
