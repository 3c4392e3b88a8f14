//! How a message goes on once the transport was asked to take it.

use std::time::Duration;

use cleave_vocabulary::Timestamp;

/// What the transport said of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has taken it over.
    Accepted,
    /// It never will, for this reason.
    Refused(String),
    /// Not now, for this reason.
    Deferred(String),
}

/// What becomes of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// It is sent.
    Sent,
    /// It never will be.
    Failed { error: String },
    /// It is tried again at that time.
    Later { at: Timestamp, error: String },
}

/// How long and how often a message is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// The wait after the first attempt; doubles with each.
    pub(crate) first: Duration,
    /// The longest wait.
    pub(crate) longest: Duration,
    /// A message older than this is not tried again.
    pub(crate) give_up_after: Duration,
}

impl Patience {
    /// The wait after so many attempts in vain.
    pub(crate) fn wait(&self, attempts: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempts.saturating_sub(1));
        let wait = doubled.and_then(|times| self.first.checked_mul(times));
        wait.map_or(self.longest, |wait| wait.min(self.longest))
    }

    /// Whether a message made at `created` has been tried for long enough.
    pub(crate) fn is_over(&self, created: Timestamp, now: Timestamp) -> bool {
        now.since(created) >= self.give_up_after
    }

    /// What becomes of a message made at `created` that was asked about for the
    /// `attempts`th time.
    pub(crate) fn settle(
        &self,
        outcome: Outcome,
        attempts: u32,
        created: Timestamp,
        now: Timestamp,
    ) -> Settlement {
        match outcome {
            Outcome::Accepted => Settlement::Sent,
            Outcome::Refused(error) => Settlement::Failed { error },
            Outcome::Deferred(error) if self.is_over(created, now) => Settlement::Failed { error },
            Outcome::Deferred(error) => Settlement::Later {
                at: now.plus(self.wait(attempts)),
                error,
            },
        }
    }

    /// When to look again for the recipient of a message: the longer they have
    /// been missing, the later. Their registration, when it comes, does not wait
    /// for this; this is for one that was missed.
    pub(crate) fn look_again(&self, created: Timestamp, now: Timestamp) -> Timestamp {
        now.plus(now.since(created).clamp(self.first, self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        first: Duration::from_secs(1),
        longest: Duration::from_mins(1),
        give_up_after: Duration::from_hours(24),
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(seconds))
    }

    fn deferred() -> Outcome {
        Outcome::Deferred("busy".into())
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let seconds = [1, 2, 3, 6, 7, 40, u32::MAX].map(|n| PATIENCE.wait(n).as_secs());
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60]);
    }

    #[test]
    fn what_is_deferred_is_tried_again_until_it_is_too_old() {
        let later = Settlement::Later {
            at: at(102),
            error: "busy".into(),
        };
        assert_eq!(PATIENCE.settle(deferred(), 2, at(0), at(100)), later);
        let day = 24 * 60 * 60;
        let failed = Settlement::Failed {
            error: "busy".into(),
        };
        assert_eq!(PATIENCE.settle(deferred(), 2, at(0), at(day)), failed);
    }

    #[test]
    fn what_is_refused_fails_at_once() {
        let refused = Outcome::Refused("no such mailbox".into());
        let settled = PATIENCE.settle(refused, 1, at(0), at(0));
        assert!(matches!(settled, Settlement::Failed { .. }));
        let accepted = PATIENCE.settle(Outcome::Accepted, 9, at(0), at(999_999));
        assert_eq!(accepted, Settlement::Sent);
    }

    #[test]
    fn a_missing_recipient_is_looked_for_less_and_less_often() {
        assert_eq!(PATIENCE.look_again(at(0), at(0)), at(1));
        assert_eq!(PATIENCE.look_again(at(0), at(20)), at(40));
        assert_eq!(PATIENCE.look_again(at(0), at(900)), at(960));
    }
}
