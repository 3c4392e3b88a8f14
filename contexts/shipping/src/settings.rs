//! The settings under `shipping`.

use std::time::Duration;

use cleave_resilience::{BreakerPolicy, BulkheadPolicy, Policy, RetryPolicy};
use cleave_vocabulary::duration;
use serde::{Deserialize, Serialize};

use crate::domain::Rounds;

/// The settings under `shipping`.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct ShippingSettings {
    /// How the carrier is asked.
    pub carrier: CarrierSettings,
    /// The simulated carrier.
    pub simulated: SimulatedSettings,
}

/// How the carrier is asked: the settings under `shipping.carrier`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CarrierSettings {
    /// How long it has for one answer.
    #[serde(with = "duration")]
    pub time_limit: Duration,
    /// How often it is asked.
    pub attempts: u32,
    /// The wait after the first attempt; doubles with each, with full jitter.
    #[serde(with = "duration")]
    pub backoff: Duration,
    /// The longest wait between attempts.
    #[serde(with = "duration")]
    pub backoff_limit: Duration,
    /// Repeats may be at most this share of all calls, in percent.
    pub retry_budget_percent: u32,
    /// How many calls at once.
    pub bulkhead: BulkheadPolicy,
    /// When to stop asking.
    pub breaker: BreakerPolicy,
}

/// The settings under `shipping.simulated`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedSettings {
    /// When it picks up, after the booking; `never` waits for an admin.
    #[serde(with = "duration::or_never")]
    pub pickup_after: Option<Duration>,
    /// When it delivers, after the pickup; `never` waits for an admin.
    #[serde(with = "duration::or_never")]
    pub deliver_after: Option<Duration>,
    /// How often it looks for what is due.
    #[serde(with = "duration")]
    pub round_every: Duration,
}

impl Default for CarrierSettings {
    fn default() -> Self {
        Self {
            time_limit: Duration::from_secs(3),
            attempts: 3,
            backoff: Duration::from_millis(50),
            backoff_limit: Duration::from_millis(500),
            retry_budget_percent: 100,
            bulkhead: BulkheadPolicy::default(),
            breaker: BreakerPolicy::default(),
        }
    }
}

impl Default for SimulatedSettings {
    fn default() -> Self {
        Self {
            pickup_after: Some(Duration::from_secs(2)),
            deliver_after: Some(Duration::from_secs(5)),
            round_every: Duration::from_millis(100),
        }
    }
}

impl ShippingSettings {
    /// Says which setting cannot be, and what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        let carrier = &self.carrier;
        if carrier.time_limit.is_zero() {
            return Err("shipping.carrier.time_limit must be longer than 0ms".to_owned());
        }
        if !(1..=10).contains(&carrier.attempts) {
            return Err("shipping.carrier.attempts must be 1 to 10".to_owned());
        }
        carrier.bulkhead.validate("shipping.carrier.bulkhead")?;
        carrier.breaker.validate("shipping.carrier.breaker")?;
        if carrier.backoff > carrier.backoff_limit {
            return Err(
                "shipping.carrier.backoff must not be longer than shipping.carrier.backoff_limit"
                    .to_owned(),
            );
        }
        if self.simulated.round_every < Duration::from_millis(10) {
            return Err("shipping.simulated.round_every must be 10ms or longer".to_owned());
        }
        Ok(())
    }
}

impl CarrierSettings {
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            time_limit: self.time_limit,
            bulkhead: self.bulkhead.clone(),
            retry: RetryPolicy {
                attempts: self.attempts,
                backoff: self.backoff,
                backoff_limit: self.backoff_limit,
                budget_percent: self.retry_budget_percent,
            },
            breaker: self.breaker.clone(),
        }
    }
}

impl SimulatedSettings {
    pub(crate) fn rounds(&self) -> Rounds {
        Rounds {
            pickup_after: self.pickup_after,
            deliver_after: self.deliver_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_part_of_them_can_be_set() {
        assert_eq!(ShippingSettings::default().validate(), Ok(()));
        let json = r#"{"simulated": {"pickup_after": "never"}}"#;
        let settings: ShippingSettings = serde_json::from_str(json).expect("settings");
        assert_eq!(settings.simulated.pickup_after, None);
        let deliver_after = Some(Duration::from_secs(5));
        assert_eq!(settings.simulated.deliver_after, deliver_after);
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert!(serde_json::from_str::<ShippingSettings>(r#"{"carier": {}}"#).is_err());
        let mut settings = ShippingSettings::default();
        settings.simulated.round_every = Duration::ZERO;
        let error = settings.validate().expect_err("too often");
        assert!(
            error.starts_with("shipping.simulated.round_every "),
            "{error}"
        );
    }
}
