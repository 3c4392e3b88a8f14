//! The connection: made once, kept by the client, which reconnects by itself
//! with waits that grow. A broker that can't do what will be asked of it, or does
//! not let this user ask, is refused here.

use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, RequestErrorKind};
use async_nats::jetstream::{self};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};

use crate::dropped::Server;
use crate::login::Login;
use crate::options::addresses;
use crate::standing::Standing;
use crate::{NatsError, NatsOptions};

/// How long the first connection may take, and each answer.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A broker that leaves three in a row unanswered is away.
const PING_EVERY: Duration = Duration::from_secs(5);
/// What an event may need: what one request may bring (256 KiB), and as much
/// again for what the program adds to it.
const LARGEST_EVENT: usize = 512 * 1024;

/// The oldest version seen to refuse what a stream full by bytes can't take.
/// 2.9.10 reckons without the frame of a message, and so makes room instead.
const KEEPS_WHAT_IS_FULL: (i64, i64, i64) = (2, 10, 25);

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
        let standing = Standing::default();
        let connect = connect_options(options, &servers, standing.clone()).await?;
        let client = connect
            .connect(without_users(servers)?)
            .await
            .map_err(|error| refused(&error, &place))?;
        standing.look(&client);
        let jetstream = ContextBuilder::new()
            .timeout(PATIENCE)
            .max_ack_inflight(options.publish_in_flight)
            .backpressure_on_inflight(true)
            .build(client.clone());
        tokio::select! {
            demanded = demand(&client, &jetstream, options, &place) => demanded?,
            reason = standing.denied() => {
                let prefix = options.prefix.clone();
                return Err(NatsError::Denied { place, prefix, reason });
            }
        }
        let server = Server::of(client.clone());
        if server.may_drop() {
            tracing::warn!(
                version = client.server_info().version,
                "this broker can drop events when it starts; that is noticed, and they are published again, unless it is one of a cluster or bus.nats.partitions is more than 1: run 2.9.16 or later, which drop none"
            );
        }
        Ok(Self {
            client,
            jetstream,
            standing,
        })
    }
}

/// Finds out whether the broker can do, and lets this user do, what is needed.
async fn demand(
    client: &Client,
    jetstream: &jetstream::Context,
    options: &NatsOptions,
    place: &str,
) -> Result<(), NatsError> {
    let place = place.to_owned();
    let max_payload = client.max_payload();
    if max_payload < LARGEST_EVENT {
        return Err(NatsError::SmallPayload {
            place,
            max_payload,
            needed: LARGEST_EVENT,
        });
    }
    demand_jetstream(jetstream, &place).await?;
    demand_rights(client, &options.prefix).await;
    let (major, minor, patch) = KEEPS_WHAT_IS_FULL;
    if options.max_bytes > 0 && !client.is_server_compatible(major, minor, patch) {
        let version = client.server_info().version;
        return Err(NatsError::Dropping { place, version });
    }
    Ok(())
}

/// Publishes where nobody listens what events and acknowledgements look like. A
/// broker answers a user who may not with a complaint, and nobody else at all.
async fn demand_rights(client: &Client, prefix: &str) {
    let event = format!("{prefix}.-.0.-");
    let acknowledgement = "$JS.ACK.-.-.1.1.1.1.1";
    // Whoever waits for the complaint hears it; that nobody answers is as it should be.
    let _ = futures::join!(
        client.request(event, "".into()),
        client.request(acknowledgement, "".into()),
    );
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
    servers: &[ServerAddr],
    standing: Standing,
) -> Result<ConnectOptions, NatsError> {
    // A cluster tells of its other servers without a scheme: what is asked of one
    // is asked of all.
    let encrypted = options.tls.is_demanded() || servers.iter().any(ServerAddr::tls_required);
    let mut connect = ConnectOptions::new()
        .name("cleave")
        .connection_timeout(PATIENCE)
        .request_timeout(Some(PATIENCE))
        .max_reconnects(None)
        .reconnect_delay_callback(wait)
        .event_callback(move |event| {
            let standing = standing.clone();
            async move { standing.hear(event) }
        })
        .ping_interval(PING_EVERY)
        .require_tls(encrypted);
    connect = match Login::of(options, servers).map_err(NatsError::Setting)? {
        Login::Nobody => connect,
        Login::User { user, password } => connect.user_and_password(user, password),
        Login::Token(token) => connect.token(token),
        Login::File(path) => {
            let setting = "bus.nats.credentials_file";
            readable(setting, &path).await?;
            let read = connect.credentials_file(&path).await;
            read.map_err(|error| file(setting, &path, &error))?
        }
    };
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

/// The same servers without users and passwords: the client's log shows URLs whole.
fn without_users(servers: Vec<ServerAddr>) -> Result<Vec<ServerAddr>, NatsError> {
    let without = |server: ServerAddr| {
        let mut url = server.into_inner();
        // Refused for a URL without a host alone, which has no user either.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        ServerAddr::from_url(url).map_err(NatsError::other)
    };
    servers.into_iter().map(without).collect()
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
