//! The settings of the user context.

use std::thread::available_parallelism;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The settings of `user`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserSettings {
    /// How long an access token is good for.
    #[serde(with = "cleave_vocabulary::duration")]
    pub access_token_ttl: Duration,
    /// How long a refresh token is good for; each use starts the time anew.
    #[serde(with = "cleave_vocabulary::duration")]
    pub refresh_token_ttl: Duration,
    /// How long sessions are remembered after their last token expired.
    #[serde(with = "cleave_vocabulary::duration")]
    pub session_retention: Duration,
    /// How often sessions long past are cleared away.
    #[serde(with = "cleave_vocabulary::duration")]
    pub sweep_every: Duration,
    /// How passwords are hashed.
    pub hashing: HashingSettings,
}

impl Default for UserSettings {
    fn default() -> Self {
        Self {
            access_token_ttl: Duration::from_mins(15),
            refresh_token_ttl: Duration::from_hours(30 * 24),
            session_retention: Duration::from_hours(30 * 24),
            sweep_every: Duration::from_hours(1),
            hashing: HashingSettings::default(),
        }
    }
}

/// The settings of `user.hashing`: argon2id, by default as OWASP's password
/// storage cheat sheet recommends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HashingSettings {
    /// Memory for one hash, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
    /// Hashes computed at once; by default half of the machine's cores.
    pub concurrency: usize,
    /// Hashes that may wait for their turn; one more is refused as overloaded.
    pub queue: usize,
}

impl Default for HashingSettings {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            concurrency: available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
            queue: 64,
        }
    }
}

impl UserSettings {
    /// What is wrong with them, naming the setting.
    pub fn validate(&self) -> Result<(), String> {
        for (name, span) in [
            ("access_token_ttl", self.access_token_ttl),
            ("refresh_token_ttl", self.refresh_token_ttl),
            ("sweep_every", self.sweep_every),
        ] {
            if span < Duration::from_secs(1) {
                return Err(format!("user.{name}: must be 1s or more"));
            }
        }
        if self.refresh_token_ttl < self.access_token_ttl {
            return Err(
                "user.refresh_token_ttl: must not be shorter than user.access_token_ttl".into(),
            );
        }
        self.hashing.validate()
    }
}

impl HashingSettings {
    fn validate(&self) -> Result<(), String> {
        // The bounds are argon2's own (RFC 9106, section 3.1), those above to keep
        // a slip of the keyboard from taking all memory.
        let checks = [
            ("iterations", (1..=64).contains(&self.iterations), "1 to 64"),
            (
                "parallelism",
                (1..=64).contains(&self.parallelism),
                "1 to 64",
            ),
            (
                "memory_kib",
                (8 * self.parallelism.min(64)..=1_048_576).contains(&self.memory_kib),
                "8 times user.hashing.parallelism to 1048576",
            ),
            (
                "concurrency",
                (1..=1024).contains(&self.concurrency),
                "1 to 1024",
            ),
            ("queue", self.queue <= 65_536, "0 to 65536"),
        ];
        checks
            .iter()
            .find(|(_, fits, _)| !fits)
            .map_or(Ok(()), |(name, _, allowed)| {
                Err(format!("user.hashing.{name}: must be {allowed}"))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(UserSettings::default().validate(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut settings = UserSettings::default();
        settings.hashing.memory_kib = 7;
        let error = settings.validate().expect_err("too little");
        assert!(error.starts_with("user.hashing.memory_kib:"), "{error}");
        let settings = UserSettings {
            refresh_token_ttl: Duration::from_mins(1),
            ..UserSettings::default()
        };
        let error = settings.validate().expect_err("too short");
        assert!(error.starts_with("user.refresh_token_ttl:"), "{error}");
    }

    #[test]
    fn durations_are_written_with_their_units() {
        let json = serde_json::json!({"access_token_ttl": "5m"});
        let settings: UserSettings = serde_json::from_value(json).expect("settings");
        assert_eq!(settings.access_token_ttl, Duration::from_mins(5));
        assert!(serde_json::from_str::<UserSettings>(r#"{"ttl": "5m"}"#).is_err());
    }
}
