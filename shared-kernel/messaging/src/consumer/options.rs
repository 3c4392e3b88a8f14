//! The settings of consumers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::inbox::Inbox;

/// The settings of `bus.consumer`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsumerOptions {
    /// Keys handled side by side, for each handler: as many events may share one
    /// unit of work. Measured, a unit for each costs twice as much as sixty-four
    /// in one, and more than that in one gain nothing.
    pub concurrency: usize,
    /// Attempts before an event becomes a dead letter.
    pub attempts: u32,
    /// The wait after the first failed attempt; doubles with each, with full jitter.
    #[serde(with = "cleave_vocabulary::duration")]
    pub backoff: Duration,
    /// The longest wait between attempts.
    #[serde(with = "cleave_vocabulary::duration")]
    pub backoff_limit: Duration,
    /// How long the inbox remembers what it handled. Longer than any bus may
    /// deliver again, and than a relay may have to catch up.
    #[serde(with = "cleave_vocabulary::duration")]
    pub inbox_retention: Duration,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            concurrency: 64,
            attempts: 6,
            backoff: Duration::from_millis(50),
            backoff_limit: Duration::from_secs(5),
            inbox_retention: Duration::from_hours(30 * 24),
        }
    }
}

impl ConsumerOptions {
    /// What is wrong with them, by the name of the setting.
    pub fn validate(&self) -> Result<(), String> {
        if !(1..=10_000).contains(&self.concurrency) {
            return Err("bus.consumer.concurrency must be 1 to 10000".to_owned());
        }
        if self.attempts == 0 {
            return Err("bus.consumer.attempts must be 1 or more".to_owned());
        }
        if self.backoff.is_zero() {
            return Err("bus.consumer.backoff must be longer than 0ms".to_owned());
        }
        if self.backoff_limit < self.backoff {
            let rule = "must not be shorter than bus.consumer.backoff";
            return Err(format!("bus.consumer.backoff_limit {rule}"));
        }
        if self.inbox_retention < Inbox::REMEMBERS {
            return Err("bus.consumer.inbox_retention must be 24h or longer: what is forgotten could be handled again".to_owned());
        }
        Ok(())
    }

    pub(crate) fn waits(&self) -> Backoff {
        Backoff {
            first: self.backoff,
            limit: self.backoff_limit,
        }
    }
}
