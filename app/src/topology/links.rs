//! How this process reaches the others: HTTP clients, addresses, and the tokens
//! that its contexts and its gateway show there.

use std::sync::Arc;
use std::time::Duration;

use cleave_seam::{Credentials, Endpoint, Replicas, http_client};
use cleave_vocabulary::Clock;
use cleave_web::{ServiceKeyError, ServiceKeys, ServiceTokens, ServiceVerifier};
use http::HeaderValue;

use super::{CONTEXTS, Topology};

/// What a process calls itself where it calls for no context of its own.
pub const GATEWAY: &str = "gateway";

/// The way to the other processes.
pub struct Links {
    topology: Topology,
    keys: ServiceKeys,
    clock: Arc<dyn Clock>,
    /// For ports: all calls to a process share a connection.
    ports: reqwest::Client,
    /// For what clients ask: streams must not take the places of calls.
    forwarding: reqwest::Client,
}

impl Links {
    /// Over the deployment's secret.
    pub fn new(topology: Topology, secret: &str, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let told = |error: reqwest::Error| error.to_string();
        Ok(Self {
            topology,
            keys: ServiceKeys::new(secret).map_err(|error| error.to_string())?,
            clock,
            ports: http_client().map_err(told)?,
            forwarding: forwarding_client().map_err(told)?,
        })
    }

    /// Where `caller` calls `context`; none where that is in this process.
    pub fn endpoint(&self, caller: &str, context: &str) -> Result<Option<Endpoint>, String> {
        self.way(caller, context, context)
    }

    /// The process that hosts `context`, as one gateway asks another; none where
    /// that is this one.
    pub fn process_of(&self, context: &str) -> Result<Option<Endpoint>, String> {
        self.way(GATEWAY, context, GATEWAY)
    }

    fn way(&self, caller: &str, context: &str, audience: &str) -> Result<Option<Endpoint>, String> {
        let place = self.topology.elsewhere().find(|(name, _)| *name == context);
        let Some((_, url)) = place else {
            return Ok(None);
        };
        let badge = Badge {
            tokens: self.tokens(caller).map_err(|error| error.to_string())?,
            audience: audience.to_owned(),
        };
        let endpoint = Endpoint::new(self.ports.clone(), context, url, self.clock.clone());
        Ok(Some(endpoint.showing(Arc::new(badge))))
    }

    /// The tokens that `caller` shows.
    pub fn tokens(&self, caller: &str) -> Result<ServiceTokens, ServiceKeyError> {
        ServiceTokens::new(&self.keys, caller, self.clock.clone())
    }

    /// Judges those that are shown here.
    pub fn verifier(&self) -> Result<ServiceVerifier, ServiceKeyError> {
        let mut services = CONTEXTS.to_vec();
        services.push(GATEWAY);
        ServiceVerifier::new(&self.keys, &services, self.clock.clone())
    }

    /// What passes clients' requests on to the process of `contexts`.
    pub fn forwarding(&self, contexts: &str, base: &str) -> Replicas {
        Replicas::new(self.forwarding.clone(), contexts, base, self.clock.clone())
    }

    /// What they tell the time by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Where everything is.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }
}

struct Badge {
    tokens: ServiceTokens,
    audience: String,
}

impl Credentials for Badge {
    fn authorization(&self) -> Result<HeaderValue, String> {
        let shown = self.tokens.bearer(&self.audience);
        shown.map_err(|error| error.to_string())
    }
}

/// A connection for each request under way, so that a stream that is read slowly
/// holds up nothing else; given up before the other side would close it.
fn forwarding_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .connect_timeout(Duration::from_secs(2))
        .pool_idle_timeout(Duration::from_secs(10))
        .tcp_nodelay(true)
        .build()
}
