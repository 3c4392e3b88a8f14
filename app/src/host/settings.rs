//! The settings of `http`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use cleave_web::IdempotencyOptions;
use serde::{Deserialize, Serialize};

/// The settings of `http`: the listener, and what it takes from a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Connections at one time; more wait to be accepted.
    pub connections: usize,
    /// Bytes of a request's body, at the most.
    pub body_limit: usize,
    /// How long a request may take until its answer begins. What `Prefer: wait`
    /// asks for is added; a stream of events may go on for as long as it likes.
    #[serde(with = "cleave_vocabulary::duration")]
    pub time_limit: Duration,
    /// How long `POST /ops/audit` may take instead: it looks at everything there is.
    #[serde(with = "cleave_vocabulary::duration")]
    pub audit_limit: Duration,
    /// How long the head of a request may take to arrive; also how long an idle
    /// connection is kept.
    #[serde(with = "cleave_vocabulary::duration")]
    pub header_limit: Duration,
    /// How long requests in flight may take to end when the program stops.
    #[serde(with = "cleave_vocabulary::duration")]
    pub drain: Duration,
    /// Outcomes of requests with an `Idempotency-Key`.
    pub idempotency: IdempotencyOptions,
}

/// More connections than any machine's ports and memory allow.
const MOST_CONNECTIONS: usize = 1_000_000;

impl HttpSettings {
    /// What is wrong with them, by the name of the setting.
    pub fn validate(&self) -> Result<(), String> {
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            return Err(format!("http.connections must be 1 to {MOST_CONNECTIONS}"));
        }
        if self.body_limit == 0 {
            return Err("http.body_limit must be 1 or more".to_owned());
        }
        for (name, span) in [
            ("time_limit", self.time_limit),
            ("audit_limit", self.audit_limit),
            ("header_limit", self.header_limit),
            ("idempotency.keep", self.idempotency.keep),
        ] {
            if span.is_zero() {
                return Err(format!("http.{name} must be longer than 0ms"));
            }
        }
        Ok(())
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            connections: 8192,
            body_limit: 256 * 1024,
            time_limit: Duration::from_secs(10),
            audit_limit: Duration::from_mins(10),
            header_limit: Duration::from_secs(30),
            drain: Duration::from_secs(7),
            idempotency: IdempotencyOptions::default(),
        }
    }
}
