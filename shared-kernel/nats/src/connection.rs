//! The connection: made once, kept by the client, which reconnects by itself
//! with waits that grow. What it says of itself is logged where it changes.

use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, RequestErrorKind};
use async_nats::jetstream::{self};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;

use crate::options::addresses;
use crate::{NatsError, NatsOptions};

/// How long the first connection may take, and each answer.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The oldest version seen to refuse what a stream full by bytes can't take.
/// 2.9.10 reckons without the frame of a message, and so makes room instead.
const KEEPS_WHAT_IS_FULL: (i64, i64, i64) = (2, 10, 25);

/// Whether the broker is there, and for the how-manieth time.
#[derive(Clone)]
pub(crate) struct Standing(watch::Sender<Connected>);

/// A connection by its number: odd while it stands, even between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Connected(u64);

impl Connected {
    fn stands(self) -> bool {
        self.0 % 2 == 1
    }
}

impl Standing {
    fn new() -> Self {
        Self(watch::Sender::default())
    }

    pub(crate) fn now(&self) -> Connected {
        *self.0.borrow()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.now().stands()
    }

    /// Returns once this connection has ended.
    pub(crate) async fn left(&self, connected: Connected) {
        let mut changes = self.0.subscribe();
        // The sender is this value's own, so it can't be gone.
        let _ = changes.wait_for(|now| *now != connected).await;
    }

    fn set(&self, connected: bool) {
        metrics::gauge!("cleave_bus_connected").set(if connected { 1.0 } else { 0.0 });
        let changed = self.0.send_if_modified(|now| {
            let changes = now.stands() != connected;
            now.0 += u64::from(changes);
            changes
        });
        match (changed, connected) {
            (true, true) => tracing::info!("connected to the broker"),
            (true, false) => {
                tracing::warn!("the broker is away; events wait in the outboxes until it is back");
            }
            (false, _) => {}
        }
    }
}

/// A connection to a broker with JetStream.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) standing: Standing,
}

impl Connection {
    pub(crate) async fn open(options: &NatsOptions) -> Result<Self, NatsError> {
        let url = options.url.as_deref().ok_or(NatsError::Unset)?;
        let servers = addresses(url).map_err(NatsError::Setting)?;
        let place = places(&servers);
        let standing = Standing::new();
        let connect = connect_options(options, standing.clone()).await?;
        let client = connect
            .connect(servers)
            .await
            .map_err(|error| refused(&error, &place))?;
        standing.set(true);
        let jetstream = ContextBuilder::new()
            .timeout(PATIENCE)
            .max_ack_inflight(options.publish_in_flight)
            .backpressure_on_inflight(true)
            .build(client.clone());
        demand_jetstream(&jetstream, &place).await?;
        let (major, minor, patch) = KEEPS_WHAT_IS_FULL;
        if options.max_bytes > 0 && !client.is_server_compatible(major, minor, patch) {
            let version = client.server_info().version;
            return Err(NatsError::Dropping { place, version });
        }
        Ok(Self {
            client,
            jetstream,
            standing,
        })
    }
}

/// Asks for the account's JetStream by hand: the client reads the answers of
/// newer servers alone.
async fn demand_jetstream(context: &jetstream::Context, place: &str) -> Result<(), NatsError> {
    let without = |reason: String| NatsError::NoJetStream {
        place: place.to_owned(),
        reason,
    };
    let told: Result<serde_json::Value, _> = context.request("INFO", &()).await;
    match told {
        Ok(told) if told["error"].is_null() => Ok(()),
        Ok(told) => {
            let reason = told["error"]["description"].as_str();
            Err(without(reason.unwrap_or("it gives no reason").to_owned()))
        }
        Err(error) => match error.kind() {
            RequestErrorKind::NoResponders => Err(without("nobody answers for it".to_owned())),
            RequestErrorKind::TimedOut => Err(NatsError::Unreachable {
                place: place.to_owned(),
                reason: "JetStream does not answer".to_owned(),
            }),
            RequestErrorKind::InvalidSubject | RequestErrorKind::Other => {
                Err(NatsError::other(error))
            }
        },
    }
}

async fn connect_options(
    options: &NatsOptions,
    standing: Standing,
) -> Result<ConnectOptions, NatsError> {
    let mut connect = ConnectOptions::new()
        .name("cleave")
        .connection_timeout(PATIENCE)
        .request_timeout(Some(PATIENCE))
        .max_reconnects(None)
        .reconnect_delay_callback(wait)
        .event_callback(move |event| {
            let standing = standing.clone();
            async move { note(&standing, event) }
        })
        .require_tls(options.tls.required);
    if let (Some(user), Some(password)) = (&options.user, &options.password) {
        connect = connect.user_and_password(user.clone(), password.clone());
    }
    if let Some(token) = &options.token {
        connect = connect.token(token.clone());
    }
    if let Some(path) = &options.credentials_file {
        let setting = "bus.nats.credentials_file";
        readable(setting, path).await?;
        let read = connect.credentials_file(path).await;
        connect = read.map_err(|error| file(setting, path, &error))?;
    }
    if let Some(path) = &options.tls.ca_file {
        readable("bus.nats.tls.ca_file", path).await?;
        connect = connect.add_root_certificates(path.clone());
    }
    if let (Some(cert), Some(key)) = (&options.tls.cert_file, &options.tls.key_file) {
        readable("bus.nats.tls.cert_file", cert).await?;
        readable("bus.nats.tls.key_file", key).await?;
        connect = connect.add_client_certificate(cert.clone(), key.clone());
    }
    Ok(connect)
}

async fn readable(setting: &'static str, path: &Path) -> Result<(), NatsError> {
    let read = tokio::fs::read(path).await;
    read.map(drop).map_err(|error| file(setting, path, &error))
}

fn file(setting: &'static str, path: &Path, error: &std::io::Error) -> NatsError {
    NatsError::File {
        setting,
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}

/// The wait before an attempt to reconnect; it doubles with each.
fn wait(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    let factor = 2_u32.saturating_pow(doublings.min(16));
    (FIRST_WAIT * factor).min(LONGEST_WAIT)
}

fn note(standing: &Standing, event: Event) {
    match event {
        Event::Connected => standing.set(true),
        Event::Disconnected | Event::Closed => standing.set(false),
        Event::SlowConsumer(_) => {
            tracing::warn!("events came faster than they were read; they are read again");
        }
        Event::ServerError(error) => tracing::warn!(%error, "the broker complains"),
        Event::ClientError(error) => tracing::debug!(%error, "the broker's client complains"),
        Event::LameDuckMode | Event::Draining => {}
    }
}

/// Hosts and ports, without user or password.
fn places(servers: &[ServerAddr]) -> String {
    let places: Vec<String> = servers
        .iter()
        .map(|server| format!("{}:{}", server.host(), server.port()))
        .collect();
    places.join(", ")
}

fn refused(error: &async_nats::ConnectError, place: &str) -> NatsError {
    let place = place.to_owned();
    if is_garbled(error) {
        return NatsError::Tls {
            place,
            reason: error.to_string(),
        };
    }
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            NatsError::Credentials { place }
        }
        ConnectErrorKind::Tls => NatsError::Tls {
            place,
            reason: error.to_string(),
        },
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Dns
        | ConnectErrorKind::TimedOut
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects => NatsError::Unreachable {
            place,
            reason: error.to_string(),
        },
    }
}

/// Whether the other end spoke, and its words were no TLS, or none to be trusted.
fn is_garbled(error: &async_nats::ConnectError) -> bool {
    let source = std::error::Error::source(error);
    let system = source.and_then(|source| source.downcast_ref::<std::io::Error>());
    system.is_some_and(|system| system.kind() == std::io::ErrorKind::InvalidData)
}
