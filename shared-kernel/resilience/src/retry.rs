//! Retries: exponential backoff with full jitter (Brooker, *Exponential Backoff
//! and Jitter*), within a budget, so that repeats never multiply an outage.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cleave_vocabulary::{Failure, FailureKind};
use rand::Rng;

use crate::{Idempotence, RetryPolicy};

/// A token bucket that bounds retries to a share of the calls. It starts with a
/// reserve of [`RetryBudget::RESERVE`] and holds no more than that, so that a
/// quiet caller may retry too, and an outage cannot spend what an hour saved.
pub struct RetryBudget {
    /// In hundredths of a retry: a call brings as many as the policy's percent.
    tokens: AtomicU64,
    percent: u64,
    limit: u64,
}

const PRICE: u64 = 100;

impl RetryBudget {
    /// How many retries the full bucket holds.
    pub const RESERVE: u64 = 100;

    /// A full bucket. With zero percent it is empty, and stays so.
    pub fn new(percent: u32) -> Self {
        let limit = if percent == 0 {
            0
        } else {
            Self::RESERVE * PRICE
        };
        Self {
            tokens: AtomicU64::new(limit),
            percent: u64::from(percent),
            limit,
        }
    }

    /// A call brings its share of a retry.
    pub fn deposit(&self) {
        // Nearly always full: one load, and no contended write.
        if self.tokens.load(Ordering::Relaxed) < self.limit {
            let _ = self
                .tokens
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| {
                    Some((tokens + self.percent).min(self.limit))
                });
        }
    }

    /// Pays for one retry, where there is enough.
    pub fn withdraw(&self) -> bool {
        self.tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| {
                tokens.checked_sub(PRICE)
            })
            .is_ok()
    }
}

impl RetryPolicy {
    /// Whether such a failure may be followed by another attempt. An open
    /// breaker, here or further down, will not have closed in between, and an
    /// operation that is not known stays so.
    pub(crate) fn allows(&self, made: u32, idempotence: Idempotence, failure: &Failure) -> bool {
        let hopeless = matches!(
            failure.kind,
            FailureKind::BreakerOpen | FailureKind::Unsupported
        );
        let harmless = idempotence == Idempotence::Safe || !failure.outcome_unknown;
        made < self.attempts && harmless && !hopeless
    }

    /// The longest wait after `made` attempts.
    pub(crate) fn longest_wait(&self, made: u32) -> Duration {
        let doubled = 1_u32.checked_shl(made.saturating_sub(1));
        self.backoff
            .saturating_mul(doubled.unwrap_or(u32::MAX))
            .min(self.backoff_limit)
    }

    /// Anything between nothing and the longest wait (full jitter).
    pub(crate) fn wait(&self, made: u32, random: &mut impl Rng) -> Duration {
        let longest = u64::try_from(self.longest_wait(made).as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(random.random_range(0..=longest))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            attempts: 5,
            backoff: Duration::from_millis(50),
            backoff_limit: Duration::from_secs(1),
            budget_percent: 20,
        }
    }

    #[test]
    fn waits_double_up_to_their_limit() {
        let longest: Vec<_> = (1..=7)
            .map(|made| policy().longest_wait(made).as_millis())
            .collect();
        assert_eq!(longest, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(policy().longest_wait(u32::MAX), Duration::from_secs(1));
    }

    #[test]
    fn jitter_fills_the_whole_of_the_wait_and_no_more() {
        let mut random = StdRng::seed_from_u64(7);
        let waits: Vec<_> = (0..1000).map(|_| policy().wait(3, &mut random)).collect();
        assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(200)));
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(10)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(190)));
    }

    #[test]
    fn the_budget_is_a_share_of_the_calls_beyond_its_reserve() {
        let budget = RetryBudget::new(20);
        let reserve = (0..1000).filter(|_| budget.withdraw()).count() as u64;
        assert_eq!(reserve, RetryBudget::RESERVE);
        (0..50).for_each(|_| budget.deposit());
        assert_eq!((0..1000).filter(|_| budget.withdraw()).count(), 10);
        (0..100_000).for_each(|_| budget.deposit());
        let saved = (0..1000).filter(|_| budget.withdraw()).count() as u64;
        assert_eq!(saved, RetryBudget::RESERVE);
    }

    #[test]
    fn no_percent_is_no_retry() {
        let budget = RetryBudget::new(0);
        budget.deposit();
        assert!(!budget.withdraw());
    }

    #[test]
    fn what_may_have_happened_is_repeated_only_where_that_is_safe() {
        let lost = Failure::unknown(FailureKind::Timeout, "lost");
        let away = Failure::clean(FailureKind::Unavailable, "away");
        assert!(policy().allows(1, Idempotence::Safe, &lost));
        assert!(!policy().allows(1, Idempotence::Once, &lost));
        assert!(policy().allows(1, Idempotence::Once, &away));
        assert!(!policy().allows(5, Idempotence::Safe, &away));
        for kind in [FailureKind::BreakerOpen, FailureKind::Unsupported] {
            assert!(!policy().allows(1, Idempotence::Safe, &Failure::clean(kind, "")));
        }
    }
}
