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

impl Policy {
    /// Before a service of one's own that others wait for: started again it is back
    /// within moments, so the breaker soon lets some calls try.
    pub fn for_own_service() -> Self {
        Self {
            breaker: BreakerPolicy {
                open_for: Duration::from_secs(1),
                ..BreakerPolicy::default()
            },
            ..Self::default()
        }
    }

    /// What is wrong with it; `at` is where the settings have it.
    pub fn validate(&self, at: &str) -> Result<(), String> {
        demand(
            !self.time_limit.is_zero(),
            at,
            "time_limit must be longer than 0ms",
        )?;
        self.bulkhead.validate(&format!("{at}.bulkhead"))?;
        self.retry.validate(&format!("{at}.retry"))?;
        self.breaker.validate(&format!("{at}.breaker"))
    }
}

fn demand(fits: bool, at: &str, rule: &str) -> Result<(), String> {
    if fits {
        return Ok(());
    }
    Err(format!("{at}.{rule}"))
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

impl BulkheadPolicy {
    /// What is wrong with it; `at` is where the settings have it.
    pub fn validate(&self, at: &str) -> Result<(), String> {
        demand(self.concurrency > 0, at, "concurrency must be 1 or more")
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

impl RetryPolicy {
    /// What is wrong with it; `at` is where the settings have it.
    pub fn validate(&self, at: &str) -> Result<(), String> {
        demand(self.attempts > 0, at, "attempts must be 1 or more")?;
        let rising = self.backoff <= self.backoff_limit;
        demand(
            rising,
            at,
            &format!("backoff must not be longer than {at}.backoff_limit"),
        )
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

/// The longest window: a ring of two bytes for each call is made at the start.
pub(crate) const LONGEST_WINDOW: usize = 1 << 16;

impl BreakerPolicy {
    /// What is wrong with it; `at` is where the settings have it.
    pub fn validate(&self, at: &str) -> Result<(), String> {
        let percent = 1..=100;
        for (fits, rule) in [
            (
                (1..=LONGEST_WINDOW).contains(&self.window),
                "window must be 1 to 65536",
            ),
            (
                (1..=self.window).contains(&self.minimum_calls),
                "minimum_calls must be 1 or more, and no more than the window",
            ),
            (
                percent.contains(&self.failure_percent),
                "failure_percent must be 1 to 100",
            ),
            (
                percent.contains(&self.slow_percent),
                "slow_percent must be 1 to 100",
            ),
            (
                !self.slow_after.is_zero(),
                "slow_after must be longer than 0ms",
            ),
            (!self.open_for.is_zero(), "open_for must be longer than 0ms"),
            (
                self.half_open_calls > 0,
                "half_open_calls must be 1 or more",
            ),
        ] {
            demand(fits, at, rule)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_allowed() {
        assert_eq!(Policy::default().validate("shop.door"), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, name) in [
            (r#"{"time_limit": "0ms"}"#, "time_limit"),
            (
                r#"{"bulkhead": {"concurrency": 0}}"#,
                "bulkhead.concurrency",
            ),
            (r#"{"retry": {"attempts": 0}}"#, "retry.attempts"),
            (r#"{"retry": {"backoff": "3s"}}"#, "retry.backoff"),
            (r#"{"breaker": {"window": 0}}"#, "breaker.window"),
            (r#"{"breaker": {"window": 70000}}"#, "breaker.window"),
            (r#"{"breaker": {"window": 19}}"#, "breaker.minimum_calls"),
            (
                r#"{"breaker": {"minimum_calls": 0}}"#,
                "breaker.minimum_calls",
            ),
            (
                r#"{"breaker": {"failure_percent": 101}}"#,
                "breaker.failure_percent",
            ),
            (
                r#"{"breaker": {"slow_percent": 0}}"#,
                "breaker.slow_percent",
            ),
            (r#"{"breaker": {"slow_after": "0s"}}"#, "breaker.slow_after"),
            (r#"{"breaker": {"open_for": "0s"}}"#, "breaker.open_for"),
            (
                r#"{"breaker": {"half_open_calls": 0}}"#,
                "breaker.half_open_calls",
            ),
        ] {
            let policy: Policy = serde_json::from_str(json).expect("a policy");
            let said = policy.validate("shop.door").expect_err(json);
            assert!(
                said.starts_with(&format!("shop.door.{name} must ")),
                "{said}"
            );
        }
    }
}
