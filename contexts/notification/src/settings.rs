//! The settings of the notification context.

use std::time::Duration;

use cleave_resilience::{Policy, RetryPolicy};
use serde::{Deserialize, Serialize};

use crate::domain::Patience;

/// The settings of `notification`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationSettings {
    /// How messages are sent.
    pub sender: SenderSettings,
    /// How the mail transport is called.
    pub transport: Policy,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        Self {
            sender: SenderSettings::default(),
            transport: Policy {
                time_limit: Duration::from_secs(30),
                retry: RetryPolicy {
                    attempts: 3,
                    backoff: Duration::from_millis(100),
                    // The sender is the only caller, and calls for one batch at a time.
                    budget_percent: 100,
                    ..RetryPolicy::default()
                },
                ..Policy::default()
            },
        }
    }
}

/// The settings of `notification.sender`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SenderSettings {
    /// Messages handed to the transport at once.
    pub batch: u32,
    /// How long messages gather before a batch that is not full is sent: fewer,
    /// fuller batches cost less.
    #[serde(with = "cleave_vocabulary::duration")]
    pub gather: Duration,
    /// The wait before a message that the transport put off is tried again, and
    /// before the transport is tried again where it can't be reached; doubles
    /// with each attempt.
    #[serde(with = "cleave_vocabulary::duration")]
    pub backoff: Duration,
    /// The longest of these waits.
    #[serde(with = "cleave_vocabulary::duration")]
    pub backoff_limit: Duration,
    /// A message older than this is not tried again: it has failed.
    #[serde(with = "cleave_vocabulary::duration")]
    pub give_up_after: Duration,
    /// How long a process that died keeps others from sending, where several share
    /// the database.
    #[serde(with = "cleave_vocabulary::duration")]
    pub lease: Duration,
}

impl Default for SenderSettings {
    fn default() -> Self {
        Self {
            batch: 256,
            gather: Duration::from_millis(20),
            backoff: Duration::from_secs(1),
            backoff_limit: Duration::from_mins(5),
            give_up_after: Duration::from_hours(24),
            lease: Duration::from_secs(5),
        }
    }
}

impl NotificationSettings {
    /// What is wrong with them, naming the setting.
    pub fn validate(&self) -> Result<(), String> {
        let sender = &self.sender;
        if !(1..=1000).contains(&sender.batch) {
            return Err("notification.sender.batch: must be 1 to 1000".into());
        }
        if sender.backoff.is_zero() {
            return Err("notification.sender.backoff: must be 1ms or more".into());
        }
        if sender.backoff_limit < sender.backoff {
            return Err(
                "notification.sender.backoff_limit: must not be shorter than notification.sender.backoff"
                    .into(),
            );
        }
        if !(Duration::from_millis(100)..=Duration::from_mins(10)).contains(&sender.lease) {
            return Err("notification.sender.lease: must be 100ms to 10m".into());
        }
        self.transport.validate("notification.transport")
    }
}

impl SenderSettings {
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            first: self.backoff,
            longest: self.backoff_limit,
            give_up_after: self.give_up_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(NotificationSettings::default().validate(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, name) in [
            (r#"{"batch": 0}"#, "notification.sender.batch:"),
            (r#"{"backoff": "0s"}"#, "notification.sender.backoff:"),
            (r#"{"lease": "0s"}"#, "notification.sender.lease:"),
            (
                r#"{"backoff_limit": "1ms"}"#,
                "notification.sender.backoff_limit:",
            ),
        ] {
            let settings = NotificationSettings {
                sender: serde_json::from_str(json).expect(json),
                ..NotificationSettings::default()
            };
            let error = settings.validate().expect_err(json);
            assert!(error.starts_with(name), "{error}");
        }
    }
}
