//! Why the broker can't be used. Each message names the setting and what to do
//! about it; none shows a password, nor a URL, which may hold one.

use cleave_messaging::BusError;

/// Why the broker can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// There is no URL.
    #[error("bus.nats.url is not set; bus.kind \"nats\" needs it: nats://host:4222")]
    Unset,
    /// A setting is wrong.
    #[error("{0}")]
    Setting(String),
    /// A file that a setting names can't be read.
    #[error(
        "{setting}: {path} can't be read ({reason}); set it to a file that this user may read, in the form that the setting asks for"
    )]
    File {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// Nobody answers there.
    #[error(
        "no broker answers at {place} ({reason}); start one, or set bus.nats.url to where it is"
    )]
    Unreachable {
        /// Host and port.
        place: String,
        /// What the system said.
        reason: String,
    },
    /// It does not let us in.
    #[error(
        "the broker at {place} refuses these credentials; set bus.nats.user and bus.nats.password, bus.nats.token or bus.nats.credentials_file to what it knows"
    )]
    Credentials {
        /// Host and port.
        place: String,
    },
    /// The connection can't be encrypted, or not as it must be.
    #[error(
        "the connection to the broker at {place} can't be encrypted ({reason}); set bus.nats.tls.ca_file to the certificates that its own is signed by, and bus.nats.tls.cert_file and bus.nats.tls.key_file where it asks for ours"
    )]
    Tls {
        /// Host and port.
        place: String,
        /// What the library said.
        reason: String,
    },
    /// It lets us in, and does not let us do what must be done.
    #[error(
        "the broker at {place} does not let this user do what it must ({reason}); let it publish to $JS.API.>, $JS.ACK.>, $KV.{prefix}-leases.>, $KV.{prefix}-owners.> and {prefix}.> and subscribe to _INBOX.>, or name another user by bus.nats.user, bus.nats.token or bus.nats.credentials_file"
    )]
    Denied {
        /// Host and port.
        place: String,
        /// What subjects begin with.
        prefix: String,
        /// What the broker said.
        reason: String,
    },
    /// An event may not fit.
    #[error(
        "the broker at {place} takes {max_payload} bytes at a time, and an event may have {needed}; raise max_payload in the broker's configuration (1MB is what it has by itself), or set bus.nats.url to a broker that takes them"
    )]
    SmallPayload {
        /// Host and port.
        place: String,
        /// What it takes.
        max_payload: usize,
        /// What an event may need.
        needed: usize,
    },
    /// It keeps nothing.
    #[error(
        "the broker at {place} runs without JetStream ({reason}); start it with JetStream (nats-server --jetstream) and let this account use it, or set bus.nats.url to one that has it"
    )]
    NoJetStream {
        /// Host and port.
        place: String,
        /// What the broker said.
        reason: String,
    },
    /// It would lose events where a stream is full.
    #[error(
        "the broker at {place} is version {version}, which drops the oldest event of a stream that is full by bytes; set bus.nats.max_bytes to 0 and bound streams by bus.nats.max_events, or run 2.10.25 or later"
    )]
    Dropping {
        /// Host and port.
        place: String,
        /// The broker's version.
        version: String,
    },
    /// It has no room for a stream as the settings want it.
    #[error(
        "the broker has no room for the stream {stream} ({reason}); lower bus.nats.max_bytes where it is set, or raise the limits of the broker's JetStream or of this account"
    )]
    NoRoom {
        /// The stream.
        stream: String,
        /// What the broker said.
        reason: String,
    },
    /// It is not the cluster that the settings take it for.
    #[error(
        "the broker can't keep the stream {stream} on {replicas} servers ({reason}); set bus.nats.replicas to the servers that its cluster has, or start those that are down"
    )]
    Replicas {
        /// The stream.
        stream: String,
        /// As many as were wanted.
        replicas: usize,
        /// What the broker said.
        reason: String,
    },
    /// A limit of the broker's, or what else it holds, is in the way.
    #[error("the broker refuses {what} ({reason}); {fix}")]
    Refused {
        /// The stream or the consumer.
        what: String,
        /// What the broker said.
        reason: String,
        /// What to do.
        fix: &'static str,
    },
    /// The stream exists, and is another than the settings want, for good.
    #[error(
        "the stream {stream} has {what}; {fix} until the stream is empty (nats stream info {stream}), then stop every process and delete it (nats stream rm {stream}): what is in the outboxes by then goes into the new one"
    )]
    Drift {
        /// The stream.
        stream: String,
        /// What it has, and what was wanted.
        what: String,
        /// How to go on until then.
        fix: String,
    },
    /// What has this name is somebody else's.
    #[error(
        "the stream {stream} is not this program's ({what}); set bus.nats.prefix, which its name begins with, to a word that nobody else uses there"
    )]
    Foreign {
        /// The stream.
        stream: String,
        /// What tells.
        what: String,
    },
    /// Anything else.
    #[error("the broker: {0}")]
    Other(String),
}

impl NatsError {
    pub(crate) fn other(error: impl std::fmt::Display) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<NatsError> for BusError {
    fn from(error: NatsError) -> Self {
        Self::Failed(error.to_string())
    }
}
