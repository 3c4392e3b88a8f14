//! What a guard does, as the settings say it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One policy for one port or adapter.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// How long one attempt may take.
    #[serde(with = "cleave_vocabulary::duration")]
    pub time_limit: Duration,
    /// How many calls at once.
    pub bulkhead: BulkheadPolicy,
    /// Whether and how failed calls are repeated.
    pub retry: RetryPolicy,
    /// When to stop calling.
    pub breaker: BreakerPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            time_limit: Duration::from_secs(5),
            bulkhead: BulkheadPolicy::default(),
            retry: RetryPolicy::default(),
            breaker: BreakerPolicy::default(),
        }
    }
}

/// How many calls at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BulkheadPolicy {
    /// Calls under way.
    pub concurrency: usize,
    /// Calls that may wait for a place; one more is refused as overloaded.
    pub queue: usize,
}

impl Default for BulkheadPolicy {
    fn default() -> Self {
        Self {
            concurrency: 512,
            queue: 2048,
        }
    }
}

/// Whether and how failed calls are repeated. One owner of retries on each hop:
/// where the caller retries (a saga's step does), this stays at one attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in all; 1 does not retry.
    pub attempts: u32,
    /// The wait after the first; doubles with each, with full jitter.
    #[serde(with = "cleave_vocabulary::duration")]
    pub backoff: Duration,
    /// The longest wait.
    #[serde(with = "cleave_vocabulary::duration")]
    pub backoff_limit: Duration,
    /// Retries may be at most this share of calls, in percent (a token bucket,
    /// as in gRPC's retry throttling and Finagle's budgets).
    pub budget_percent: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 1,
            backoff: Duration::from_millis(50),
            backoff_limit: Duration::from_secs(2),
            budget_percent: 20,
        }
    }
}

/// When to stop calling, over a sliding window of the last calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerPolicy {
    /// How many of the last calls count.
    pub window: usize,
    /// No judgement before so many calls.
    pub minimum_calls: usize,
    /// Opens when this share of them failed, in percent.
    pub failure_percent: u32,
    /// A call that takes longer counts as slow.
    #[serde(with = "cleave_vocabulary::duration")]
    pub slow_after: Duration,
    /// Opens when this share of them was slow, in percent.
    pub slow_percent: u32,
    /// How long it stays open before it lets some calls try.
    #[serde(with = "cleave_vocabulary::duration")]
    pub open_for: Duration,
    /// Calls let through while half open.
    pub half_open_calls: usize,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            window: 100,
            minimum_calls: 20,
            failure_percent: 50,
            slow_after: Duration::from_secs(3),
            slow_percent: 80,
            open_for: Duration::from_secs(5),
            half_open_calls: 5,
        }
    }
}
