//! The settings of `gateway`.

use std::num::NonZeroU32;
use std::time::Duration;

use cleave_resilience::{BreakerPolicy, BulkheadPolicy, Policy, RetryPolicy};
use serde::{Deserialize, Serialize};

/// The settings of `gateway`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    /// How much one client may ask.
    pub rate_limit: RateLimitSettings,
    /// Proxies of ours that stand before this process and add to
    /// `X-Forwarded-For`; 0 believes nothing that a client says of its address.
    pub trusted_proxies: usize,
    /// Bytes from which an answer is worth compressing.
    pub compress_from: u64,
    /// What is passed on to other processes.
    pub forward: ForwardSettings,
    /// The guard before the user context, where that is in another process: it is asked
    /// for the keys of access tokens.
    pub user: Policy,
    /// The guard before each context of another process, as an audit asks it.
    pub audit: Policy,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            rate_limit: RateLimitSettings::default(),
            trusted_proxies: 0,
            compress_from: 1024,
            forward: ForwardSettings::default(),
            user: Policy::for_own_service(),
            audit: for_audits(),
        }
    }
}

/// A context may count for long, and is none the worse for it; several counts at once
/// would not end sooner. Nobody else repeats a question whose connection broke.
fn for_audits() -> Policy {
    let time_limit = Duration::from_mins(2);
    Policy {
        time_limit,
        bulkhead: BulkheadPolicy {
            concurrency: 8,
            queue: 32,
        },
        retry: RetryPolicy {
            attempts: 3,
            backoff: Duration::from_millis(100),
            ..RetryPolicy::default()
        },
        breaker: BreakerPolicy {
            window: 20,
            minimum_calls: 10,
            slow_after: time_limit,
            slow_percent: 100,
            ..BreakerPolicy::default()
        },
    }
}

impl GatewaySettings {
    /// What is wrong with them, by the name of the setting.
    pub fn validate(&self) -> Result<(), String> {
        self.user.validate("gateway.user")?;
        if self.user.retry.attempts > RetryPolicy::default().attempts {
            return Err("gateway.user.retry.attempts must be 1: keys that could not be had are asked for again anyway".to_owned());
        }
        self.audit.validate("gateway.audit")
    }
}

/// The settings of `gateway.forward`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForwardSettings {
    /// Requests to one process whose answers have not begun, at the most.
    pub concurrency: NonZeroU32,
}

impl Default for ForwardSettings {
    fn default() -> Self {
        Self {
            concurrency: const { NonZeroU32::new(256).expect("not zero") },
        }
    }
}

/// The settings of `gateway.rate_limit`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitSettings {
    /// Whether anything is limited.
    pub enabled: bool,
    /// Requests of one user (or of one address, where nobody signed in) that are
    /// allowed each second, for as long as one likes.
    pub requests_per_second: NonZeroU32,
    /// Requests allowed at once after a pause.
    pub burst: NonZeroU32,
    /// Accounts made, and sign-ins tried, from one address each second.
    pub sign_ins_per_second: NonZeroU32,
    /// Of these, allowed at once after a pause.
    pub sign_in_burst: NonZeroU32,
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        const fn count(count: u32) -> NonZeroU32 {
            NonZeroU32::new(count).expect("not zero")
        }
        Self {
            enabled: true,
            requests_per_second: const { count(100) },
            burst: const { count(200) },
            sign_ins_per_second: const { count(5) },
            sign_in_burst: const { count(30) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense_and_a_second_owner_of_retries_is_refused() {
        let mut settings = GatewaySettings::default();
        assert_eq!(settings.validate(), Ok(()));
        settings.audit.breaker.window = 0;
        let said = settings.validate().expect_err("no window");
        assert!(said.starts_with("gateway.audit.breaker.window"), "{said}");
        settings = GatewaySettings::default();
        settings.user.retry.attempts = 2;
        let said = settings.validate().expect_err("two owners");
        assert!(said.starts_with("gateway.user.retry.attempts"), "{said}");
    }
}
