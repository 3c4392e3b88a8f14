//! The settings under `payment`.

use std::time::Duration;

use cleave_resilience::{BreakerPolicy, BulkheadPolicy, Policy, RetryPolicy};
use cleave_vocabulary::duration;
use serde::{Deserialize, Serialize};

/// The settings under `payment`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaymentSettings {
    /// How the payment gateway is asked.
    pub gateway: GatewaySettings,
    /// The simulated gateway.
    pub simulated: SimulatedSettings,
    /// How often refunds that were left behind are looked for.
    #[serde(with = "duration")]
    pub refund_sweep_every: Duration,
}

/// How the payment gateway is asked: the settings under `payment.gateway`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    /// How long it has for one answer; after that the outcome is unknown, and
    /// asked for by key.
    #[serde(with = "duration")]
    pub time_limit: Duration,
    /// How often it is asked, where it certainly did nothing.
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

/// The settings under `payment.simulated`.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedSettings {
    /// What every answer takes.
    #[serde(with = "duration")]
    pub latency: Duration,
}

impl Default for PaymentSettings {
    fn default() -> Self {
        Self {
            gateway: GatewaySettings::default(),
            simulated: SimulatedSettings::default(),
            refund_sweep_every: Duration::from_secs(5),
        }
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            // Longer than the two seconds that a slow card is entitled to.
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

impl PaymentSettings {
    /// Says which setting cannot be, and what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        let gateway = &self.gateway;
        if gateway.time_limit.is_zero() {
            return Err("payment.gateway.time_limit must be longer than 0ms".to_owned());
        }
        if !(1..=10).contains(&gateway.attempts) {
            return Err("payment.gateway.attempts must be 1 to 10".to_owned());
        }
        gateway.bulkhead.validate("payment.gateway.bulkhead")?;
        gateway.breaker.validate("payment.gateway.breaker")?;
        if gateway.backoff > gateway.backoff_limit {
            return Err(
                "payment.gateway.backoff must not be longer than payment.gateway.backoff_limit"
                    .to_owned(),
            );
        }
        if self.simulated.latency > Duration::from_mins(1) {
            return Err("payment.simulated.latency must be 0ms to 1m".to_owned());
        }
        if self.refund_sweep_every < Duration::from_millis(100) {
            return Err("payment.refund_sweep_every must be 100ms or longer".to_owned());
        }
        Ok(())
    }
}

impl GatewaySettings {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_part_of_them_can_be_set() {
        assert_eq!(PaymentSettings::default().validate(), Ok(()));
        let json = r#"{"gateway": {"time_limit": "1s"}, "simulated": {"latency": "20ms"}}"#;
        let settings: PaymentSettings = serde_json::from_str(json).expect("settings");
        assert_eq!(settings.gateway.time_limit, Duration::from_secs(1));
        assert_eq!(settings.gateway.attempts, 3);
        assert_eq!(settings.simulated.latency, Duration::from_millis(20));
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert!(serde_json::from_str::<PaymentSettings>(r#"{"gatway": {}}"#).is_err());
        let mut settings = PaymentSettings::default();
        settings.gateway.attempts = 0;
        let error = settings.validate().expect_err("no attempts");
        assert!(error.starts_with("payment.gateway.attempts "), "{error}");
    }
}
