//! The settings of `bus.nats`, and what is wrong with them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::ServerAddr;
use cleave_vocabulary::duration;
use serde::{Deserialize, Serialize};

use crate::login::Login;

/// The settings of `bus.nats`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsOptions {
    /// Where the broker is: `nats://host:4222`; several of one cluster with commas
    /// between. `nats://user:password@host` says the same as `user` and `password`.
    pub url: Option<String>,
    /// The user, with `password`.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// A token, instead of a user.
    pub token: Option<String>,
    /// A file with a user's JWT and seed, instead of a user.
    pub credentials_file: Option<PathBuf>,
    /// How the connection is encrypted.
    pub tls: TlsOptions,
    /// The first word of every stream's name and of every subject.
    pub prefix: String,
    /// Servers of the cluster that keep each stream.
    pub replicas: usize,
    /// Events that one stream may hold; a full one makes the relays wait. 0 for no bound.
    pub max_events: u64,
    /// Bytes that one stream may hold, likewise. 0 for no bound.
    pub max_bytes: u64,
    /// How long a stream keeps an event that a handler has not settled.
    #[serde(with = "duration::or_never")]
    pub max_age: Option<Duration>,
    /// How long the broker knows an event again that is published twice.
    #[serde(with = "duration")]
    pub dedup_window: Duration,
    /// Parts of each stream, by key. One process at a time reads a part for a
    /// handler, so as many may share a handler's work.
    pub partitions: u16,
    /// How long a process that died keeps its parts from the others.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// How long the broker waits for an acknowledgement before it sends again.
    #[serde(with = "duration")]
    pub ack_wait: Duration,
    /// Events that one handler may have in hand in one process.
    pub max_in_flight: usize,
    /// Events published and not yet acknowledged by the broker, at the most.
    pub publish_in_flight: usize,
}

/// The settings of `bus.nats.tls`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// Refuse a broker that does not encrypt; so does any of the files.
    pub required: bool,
    /// The certificates that the broker's is signed by, in PEM; unset, the system's.
    pub ca_file: Option<PathBuf>,
    /// This program's certificate, in PEM, with `key_file`.
    pub cert_file: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    pub key_file: Option<PathBuf>,
}

impl TlsOptions {
    /// Whether a broker that does not encrypt is refused: whoever names an
    /// authority means to ask who is there, before a password is said.
    pub(crate) fn is_demanded(&self) -> bool {
        let files = [&self.ca_file, &self.cert_file, &self.key_file];
        self.required || files.into_iter().any(Option::is_some)
    }
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            url: None,
            user: None,
            password: None,
            token: None,
            credentials_file: None,
            tls: TlsOptions::default(),
            prefix: "cleave".to_owned(),
            replicas: 1,
            max_events: 1_000_000,
            max_bytes: 0,
            max_age: None,
            dedup_window: Duration::from_mins(2),
            partitions: 1,
            lease: Duration::from_secs(5),
            ack_wait: Duration::from_secs(30),
            max_in_flight: 1024,
            publish_in_flight: 1024,
        }
    }
}

impl fmt::Debug for NatsOptions {
    /// Never shows what opens the broker's door; a URL may hold a password too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl NatsOptions {
    /// What is wrong with them, by the name of the setting.
    pub fn validate(&self) -> Result<(), String> {
        let servers = self.url.as_deref().map(addresses).transpose()?;
        Login::of(self, &servers.unwrap_or_default())?;
        if self.tls.cert_file.is_some() != self.tls.key_file.is_some() {
            return Err("bus.nats.tls.cert_file and bus.nats.tls.key_file go together: set both, or neither".to_owned());
        }
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !(1..=32).contains(&self.prefix.len()) || !self.prefix.chars().all(letters) {
            return Err(
                "bus.nats.prefix must be 1 to 32 letters, digits, `_` or `-` of ASCII".to_owned(),
            );
        }
        self.validate_numbers()
    }

    fn validate_numbers(&self) -> Result<(), String> {
        if !(1..=5).contains(&self.replicas) {
            return Err("bus.nats.replicas must be 1 to 5".to_owned());
        }
        if !(1..=64).contains(&self.partitions) {
            return Err("bus.nats.partitions must be 1 to 64".to_owned());
        }
        for (name, bound) in [
            ("bus.nats.max_events", self.max_events),
            ("bus.nats.max_bytes", self.max_bytes),
        ] {
            if i64::try_from(bound).is_err() {
                return Err(format!("{name} must be below 9223372036854775808"));
            }
        }
        for (name, number) in [
            ("bus.nats.max_in_flight", self.max_in_flight),
            ("bus.nats.publish_in_flight", self.publish_in_flight),
        ] {
            if !(1..=50_000).contains(&number) {
                return Err(format!("{name} must be 1 to 50000"));
            }
        }
        if self.max_age.is_some_and(|age| age < Duration::from_mins(1)) {
            return Err(
                "bus.nats.max_age must be 1m or longer, or \"never\": what is older is lost to handlers that have not had it".to_owned(),
            );
        }
        if self.dedup_window < Duration::from_millis(100) {
            return Err("bus.nats.dedup_window must be 100ms or longer".to_owned());
        }
        if self.max_age.is_some_and(|age| age < self.dedup_window) {
            return Err(
                "bus.nats.dedup_window must not be longer than bus.nats.max_age".to_owned(),
            );
        }
        if self.lease < Duration::from_millis(500) || self.lease > Duration::from_mins(10) {
            return Err("bus.nats.lease must be 500ms to 10m".to_owned());
        }
        if self.ack_wait < Duration::from_secs(1) {
            return Err("bus.nats.ack_wait must be 1s or longer".to_owned());
        }
        Ok(())
    }
}

/// The servers of a URL, each as the client wants it.
pub(crate) fn addresses(url: &str) -> Result<Vec<ServerAddr>, String> {
    let servers = url.split(',').map(|server| {
        let schemes = ["nats://", "tls://"];
        if !schemes
            .iter()
            .any(|scheme| server.trim().starts_with(scheme))
        {
            return None;
        }
        server.trim().parse().ok()
    });
    servers.collect::<Option<_>>().ok_or_else(|| {
        // The value may hold a password: it is not repeated.
        "bus.nats.url can't be read; write nats://host:4222 or tls://host:4222, several with commas between".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(adjust: impl FnOnce(&mut NatsOptions)) -> String {
        let mut options = NatsOptions::default();
        adjust(&mut options);
        options.validate().expect_err("it is wrong")
    }

    #[test]
    fn what_is_built_in_is_right() {
        NatsOptions::default().validate().expect("right");
    }

    #[test]
    fn each_complaint_names_the_setting() {
        let url = |url: &str| wrong(|it| it.url = Some(url.to_owned()));
        assert!(url("http://example.com").starts_with("bus.nats.url "));
        assert!(url("nats://a:4222,b").starts_with("bus.nats.url "));
        assert!(wrong(|it| it.user = Some("ann".into())).contains("bus.nats.password"));
        assert!(wrong(|it| it.prefix = "a.b".into()).starts_with("bus.nats.prefix "));
        assert!(wrong(|it| it.replicas = 0).starts_with("bus.nats.replicas "));
        assert!(wrong(|it| it.partitions = 0).starts_with("bus.nats.partitions "));
        assert!(wrong(|it| it.max_in_flight = 0).starts_with("bus.nats.max_in_flight "));
        assert!(wrong(|it| it.lease = Duration::ZERO).starts_with("bus.nats.lease "));
        let both = wrong(|it| {
            it.token = Some("t".into());
            it.credentials_file = Some("c".into());
        });
        assert!(both.contains("bus.nats.token"));
    }

    #[test]
    fn a_wrong_url_is_not_repeated() {
        let told = wrong(|it| it.url = Some("ftp://ann:secret@host".to_owned()));
        assert!(!told.contains("secret"), "{told}");
        let options = NatsOptions {
            password: Some("secret".to_owned()),
            ..NatsOptions::default()
        };
        assert!(!format!("{options:?}").contains("secret"));
    }
}
