//! How long to wait before the next attempt: exponential, with full jitter
//! (Brooker, "Exponential Backoff And Jitter", AWS, 2015), so that those who
//! failed together do not come back together.

use std::time::Duration;

use rand::Rng;

/// Waits that double up to a limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) limit: Duration,
}

impl Backoff {
    /// The wait after so many failures, at least one of them.
    pub(crate) fn after(self, failures: u32) -> Duration {
        self.longest(failures).mul_f64(rand::rng().random())
    }

    fn longest(self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1));
        let longest = doubled.and_then(|times| self.first.checked_mul(times));
        longest.map_or(self.limit, |longest| longest.min(self.limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_never_exceed_it() {
        let backoff = Backoff {
            first: Duration::from_millis(50),
            limit: Duration::from_secs(5),
        };
        let longest = |failures| backoff.longest(failures).as_millis();
        assert_eq!(
            [1, 2, 3, 7, 8, 99].map(longest),
            [50, 100, 200, 3200, 5000, 5000]
        );
        assert!((0..100).all(|_| backoff.after(2) <= Duration::from_millis(100)));
    }
}
