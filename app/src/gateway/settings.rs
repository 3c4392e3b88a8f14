//! The settings of `gateway`.

use std::num::NonZeroU32;

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
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            rate_limit: RateLimitSettings::default(),
            trusted_proxies: 0,
            compress_from: 1024,
            forward: ForwardSettings::default(),
        }
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
