//! How long to wait between attempts: exponential with full jitter (Brooker,
//! "Exponential Backoff And Jitter", 2015), from a number drawn by the caller.

use std::time::Duration;

use crate::StepPolicy;

/// The wait after the `failures`th failure: anything from nothing to the doubled backoff.
pub(crate) fn wait(policy: &StepPolicy, failures: u32, luck: u64) -> Duration {
    part(ceiling(policy, failures), luck)
}

/// The wait once the attempts are used up: the upper half of the doubled backoff. Who
/// was away for a moment is asked again soon; who stays away, ever more rarely.
pub(crate) fn patient(policy: &StepPolicy, failures: u32, luck: u64) -> Duration {
    upper_half(ceiling(policy, failures), luck)
}

/// The upper half of the longest backoff, where no failures are counted.
pub(crate) fn longest(policy: &StepPolicy, luck: u64) -> Duration {
    upper_half(policy.backoff_limit, luck)
}

fn ceiling(policy: &StepPolicy, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let doubled = policy.backoff.saturating_mul(1 << doublings);
    doubled.min(policy.backoff_limit)
}

fn upper_half(ceiling: Duration, luck: u64) -> Duration {
    let half = ceiling / 2;
    half.saturating_add(part(half, luck))
}

fn part(ceiling: Duration, luck: u64) -> Duration {
    let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX - 1);
    Duration::from_micros(luck % (micros.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> StepPolicy {
        StepPolicy {
            backoff: Duration::from_millis(100),
            backoff_limit: Duration::from_secs(2),
            ..StepPolicy::default()
        }
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_limit() {
        for (failures, ceiling) in [
            (1, 100_000),
            (2, 200_000),
            (3, 400_000),
            (5, 1_600_000),
            (6, 2_000_000),
            (u32::MAX, 2_000_000),
        ] {
            let longest = wait(&policy(), failures, ceiling);
            assert_eq!(longest, Duration::from_micros(ceiling));
            assert_eq!(wait(&policy(), failures, ceiling + 1), Duration::ZERO);
        }
    }

    #[test]
    fn jitter_is_full_before_exhaustion_and_half_after() {
        assert_eq!(wait(&policy(), 3, 0), Duration::ZERO);
        assert_eq!(patient(&policy(), 3, 0), Duration::from_millis(200));
        assert_eq!(patient(&policy(), 3, 200_000), Duration::from_millis(400));
        assert_eq!(patient(&policy(), 99, 0), longest(&policy(), 0));
        assert_eq!(longest(&policy(), 0), Duration::from_secs(1));
        assert!((0..9_999).all(|luck| longest(&policy(), luck * 991) <= policy().backoff_limit));
    }
}
