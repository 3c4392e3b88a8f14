//! Retries: exponential backoff with full jitter, within a budget.
/// A token bucket that bounds retries to a share of the calls.
pub struct RetryBudget {}
