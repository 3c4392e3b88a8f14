//! The settings of the order context.

use std::time::Duration;

use cleave_resilience::{Policy, RetryPolicy};
use cleave_saga::EngineOptions;
use serde::{Deserialize, Serialize};

/// The settings of `order`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderSettings {
    /// The most lines that an order may have, as they are sent.
    pub max_lines: usize,
    /// The longest `Prefer: wait` that is honoured.
    #[serde(with = "cleave_vocabulary::duration")]
    pub max_wait: Duration,
    /// How long the answer to a cancellation waits for everything to be undone.
    #[serde(with = "cleave_vocabulary::duration")]
    pub cancel_wait: Duration,
    /// How long a list waits for the read model to see what its reader did.
    #[serde(with = "cleave_vocabulary::duration")]
    pub list_freshness: Duration,
    /// The live timelines.
    pub follow: FollowSettings,
    /// The steps of fulfilment.
    pub steps: StepSettings,
    /// The saga engine.
    pub saga: EngineOptions,
    /// The guard before the inventory context.
    pub inventory: Policy,
    /// The guard before the payment context.
    pub payment: Policy,
    /// The guard before the shipping context.
    pub shipping: Policy,
}

/// The settings of `order.follow`: live timelines over Server-Sent Events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FollowSettings {
    /// Streams at once; one more is refused as unavailable.
    pub streams: usize,
    /// How often a stream that has nothing to say shows that it lives.
    #[serde(with = "cleave_vocabulary::duration")]
    pub keep_alive: Duration,
    /// How often a stream looks for news that another process made.
    #[serde(with = "cleave_vocabulary::duration")]
    pub poll: Duration,
    /// How long a stream stays after the order's end, for the last words of
    /// other contexts.
    #[serde(with = "cleave_vocabulary::duration")]
    pub linger: Duration,
}

/// The settings of `order.steps`: how often a step of fulfilment is tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepSettings {
    /// Attempts before a step waits for its provider to come back.
    pub attempts: u32,
    /// The wait after the first failure; doubles with each, with full jitter.
    #[serde(with = "cleave_vocabulary::duration")]
    pub backoff: Duration,
    /// The longest wait.
    #[serde(with = "cleave_vocabulary::duration")]
    pub backoff_limit: Duration,
    /// How long one attempt may take; longer than the guards' time limits.
    #[serde(with = "cleave_vocabulary::duration")]
    pub time_limit: Duration,
}

impl Default for OrderSettings {
    fn default() -> Self {
        Self {
            max_lines: 100,
            max_wait: Duration::from_secs(30),
            cancel_wait: Duration::from_secs(10),
            list_freshness: Duration::from_millis(500),
            follow: FollowSettings::default(),
            steps: StepSettings::default(),
            saga: EngineOptions::default(),
            inventory: Policy::for_own_service(),
            payment: Policy::for_own_service(),
            shipping: Policy::for_own_service(),
        }
    }
}

impl Default for FollowSettings {
    fn default() -> Self {
        Self {
            streams: 1024,
            keep_alive: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            linger: Duration::from_secs(1),
        }
    }
}

impl Default for StepSettings {
    fn default() -> Self {
        Self {
            attempts: 5,
            backoff: Duration::from_millis(100),
            backoff_limit: Duration::from_secs(10),
            time_limit: Duration::from_secs(15),
        }
    }
}

/// Each stream costs memory and polls.
const MOST_STREAMS: usize = 1_000_000;

impl OrderSettings {
    /// What is wrong with them, by the name of the setting.
    pub fn validate(&self) -> Result<(), String> {
        at_least_one("order.max_lines", self.max_lines)?;
        if !(1..=MOST_STREAMS).contains(&self.follow.streams) {
            return Err(format!("order.follow.streams must be 1 to {MOST_STREAMS}"));
        }
        at_least_one("order.steps.attempts", self.steps.attempts as usize)?;
        for (name, span) in [
            ("order.follow.keep_alive", self.follow.keep_alive),
            ("order.follow.poll", self.follow.poll),
            ("order.steps.backoff", self.steps.backoff),
            ("order.steps.time_limit", self.steps.time_limit),
        ] {
            if span.is_zero() {
                return Err(format!("{name} must be longer than 0ms"));
            }
        }
        if self.steps.backoff_limit < self.steps.backoff {
            return Err(
                "order.steps.backoff_limit must not be shorter than order.steps.backoff".to_owned(),
            );
        }
        self.saga.validate("order.saga")?;
        self.check_guards()
    }

    fn check_guards(&self) -> Result<(), String> {
        for (name, policy) in [
            ("inventory", &self.inventory),
            ("payment", &self.payment),
            ("shipping", &self.shipping),
        ] {
            policy.validate(&format!("order.{name}"))?;
            // The saga owns the retries on this hop; a second owner multiplies them.
            if policy.retry.attempts > RetryPolicy::default().attempts {
                return Err(format!(
                    "order.{name}.retry.attempts must be 1: the steps of fulfilment retry (order.steps.attempts)"
                ));
            }
            if policy.time_limit >= self.steps.time_limit {
                return Err(format!(
                    "order.{name}.time_limit must be shorter than order.steps.time_limit"
                ));
            }
        }
        if self.saga.lease <= self.steps.time_limit {
            return Err("order.saga.lease must be longer than order.steps.time_limit".to_owned());
        }
        Ok(())
    }
}

fn at_least_one(name: &str, count: usize) -> Result<(), String> {
    if count == 0 {
        return Err(format!("{name} must be 1 or more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense() {
        assert_eq!(OrderSettings::default().validate(), Ok(()));
    }

    #[test]
    fn a_bad_setting_is_named() {
        let of = |json: &str| {
            let settings: OrderSettings = serde_json::from_str(json).expect("settings");
            settings.validate().expect_err("refused")
        };
        for (json, name) in [
            (r#"{"max_lines": 0}"#, "order.max_lines"),
            (r#"{"follow": {"poll": "0ms"}}"#, "order.follow.poll"),
            (
                r#"{"steps": {"backoff_limit": "1ms"}}"#,
                "order.steps.backoff_limit",
            ),
            (r#"{"steps": {"time_limit": "40s"}}"#, "order.saga.lease"),
            (r#"{"saga": {"poll": "0ms"}}"#, "order.saga.poll"),
            (
                r#"{"inventory": {"breaker": {"window": 0}}}"#,
                "order.inventory.breaker.window",
            ),
            (
                r#"{"payment": {"time_limit": "20s"}}"#,
                "order.payment.time_limit",
            ),
            (
                r#"{"shipping": {"retry": {"attempts": 2}}}"#,
                "order.shipping.retry.attempts",
            ),
        ] {
            assert!(of(json).starts_with(name), "{}", of(json));
        }
        assert!(serde_json::from_str::<OrderSettings>(r#"{"max_line": 1}"#).is_err());
    }
}
