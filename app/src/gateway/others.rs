//! The processes that host what is not here, as the gateway asks them.

use std::sync::Arc;
use std::time::Duration;

use cleave_resilience::{Bulkhead, BulkheadPolicy};
use cleave_seam::Replicas;
use cleave_vocabulary::Clock;
use cleave_web::{Problem, ServiceTokens};
use futures::future::join_all;
use http::HeaderValue;
use serde::de::DeserializeOwned;
use utoipa::openapi::OpenApi;

use super::settings::ForwardSettings;
use crate::host::Condition;
use crate::internal::{ASKER, DOCUMENT, SERVICE_TOKEN, STANDING, Standing, is_oneself};
use crate::topology::{GATEWAY, Links};

/// Who does not say within this time how it stands is away.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What a process may tell of itself, in bytes; its part of the document is the most.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// All of them; none in a monolith.
#[derive(Clone, Default)]
pub struct Others(Arc<Known>);

#[derive(Default)]
struct Known {
    processes: Vec<Arc<Process>>,
    /// The replicas of what is here, as far as the settings name them; one of these
    /// may be this process.
    replicas: Vec<Arc<Process>>,
    /// What this process calls itself where it may have come upon its own address.
    own_name: Option<HeaderValue>,
}

/// One of them.
pub struct Process {
    /// `http://10.0.0.7:9080`; of replicas several with commas between.
    pub base: String,
    /// What it hosts.
    pub contexts: Vec<&'static str>,
    /// The ways there.
    pub(super) replicas: Replicas,
    /// How long an answer that has begun may pause.
    pub(super) silence: Duration,
    pub(super) clock: Arc<dyn Clock>,
    /// Bounds what clients have under way there.
    pub(super) places: Bulkhead,
    tokens: Arc<ServiceTokens>,
}

/// One of the processes, of replicas one of those, and how it stands.
pub struct Stand {
    /// The process, with what it hosts.
    pub process: Arc<Process>,
    /// Which of its replicas, from 1, in the order of `topology.<context>`.
    pub number: usize,
    /// Where that one is.
    pub base: String,
    /// What it said; none where it does not answer.
    pub standing: Option<Standing>,
}

/// What a process tells of how it stands.
enum Told {
    Standing(Standing),
    /// It is the one that asked.
    Oneself,
    Nothing,
}

/// A process that has something for itself alone, whichever contexts it hosts.
pub(super) struct Peer {
    /// One of the lists of addresses that it is on.
    pub(super) process: Arc<Process>,
    /// Where it is.
    pub(super) base: String,
    /// What operators know it by: `payment`, or `order, replica 2`.
    pub(super) names: Vec<String>,
}

impl Stand {
    /// How a context is there; none where nobody answered.
    pub fn condition(&self, context: &str) -> Option<Condition> {
        Some(self.standing.as_ref()?.of(context))
    }
}

impl Others {
    /// Those that the links lead to; an answer of theirs that pauses for `silence` has
    /// broken off.
    pub fn of(
        links: &Links,
        settings: &ForwardSettings,
        silence: Duration,
    ) -> Result<Self, String> {
        let tokens = links.tokens(GATEWAY).map_err(|error| error.to_string())?;
        let tokens = Arc::new(tokens);
        let topology = links.topology();
        let bounds = BulkheadPolicy {
            concurrency: settings.concurrency.get() as usize,
            queue: 0,
        };
        let process = |(base, contexts): (&str, Vec<&'static str>)| {
            Arc::new(Process {
                base: base.to_owned(),
                replicas: links.forwarding(&contexts.join(","), base),
                contexts,
                silence,
                clock: links.clock().clone(),
                places: Bulkhead::new(&bounds),
                tokens: tokens.clone(),
            })
        };
        let own_name = HeaderValue::from_str(&format!("{:032x}", rand::random::<u128>()));
        Ok(Self(Arc::new(Known {
            processes: topology.processes().into_iter().map(process).collect(),
            replicas: topology.replicas().into_iter().map(process).collect(),
            own_name: own_name.ok(),
        })))
    }

    /// What this process calls itself to those that may be itself.
    pub fn own_name(&self) -> Option<&HeaderValue> {
        self.0.own_name.as_ref()
    }

    /// Whether this process has nobody to ask.
    pub(super) fn are_none(&self) -> bool {
        self.0.processes.is_empty() && self.0.replicas.is_empty()
    }

    /// Each process once, on however many lists it is; with `hosting`, those of that
    /// context. The replicas of what is here are among them, and so this process may be.
    pub(super) fn peers(&self, hosting: Option<&str>) -> Vec<Peer> {
        let mut peers: Vec<Peer> = Vec::new();
        for process in self.0.processes.iter().chain(&self.0.replicas) {
            for (base, number) in process.base.split(',').zip(1..) {
                let names = process.names(hosting, number);
                match peers.iter_mut().find(|known| known.base == base) {
                    Some(known) => known.names.extend(names),
                    None if names.is_empty() => {}
                    None => peers.push(Peer {
                        process: process.clone(),
                        base: base.to_owned(),
                        names,
                    }),
                }
            }
        }
        peers
    }

    /// How each of them stands, and of replicas each, all asked now.
    pub async fn standings(&self) -> Vec<Stand> {
        self.standings_of(&self.0.processes).await
    }

    /// The same of the replicas of what is here, without this process.
    pub async fn standings_of_replicas(&self) -> Vec<Stand> {
        self.standings_of(&self.0.replicas).await
    }

    async fn standings_of(&self, processes: &[Arc<Process>]) -> Vec<Stand> {
        let replicas = processes.iter().flat_map(|process| {
            let bases = process.base.split(',').enumerate();
            bases.map(move |(index, base)| (process.clone(), index + 1, base.to_owned()))
        });
        let ask = async |(process, number, base): (Arc<Process>, usize, String)| {
            let standing = match process.stands_at(&base, self.own_name()).await {
                Told::Oneself => return None,
                Told::Nothing => None,
                Told::Standing(standing) => Some(standing),
            };
            Some(Stand {
                process,
                number,
                base,
                standing,
            })
        };
        join_all(replicas.map(ask))
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    /// The document of the public operations of each, asked now.
    pub(super) async fn operations(&self) -> Vec<(Arc<Process>, Option<OpenApi>)> {
        self.told(DOCUMENT).await
    }

    async fn told<T: DeserializeOwned>(&self, path: &str) -> Vec<(Arc<Process>, Option<T>)> {
        let ask = async |process: &Arc<Process>| (process.clone(), process.told(path).await);
        join_all(self.iter().map(ask)).await
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.0.processes.iter()
    }
}

impl Process {
    /// What it tells gateways at one of its internal addresses.
    async fn told<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        let token = self.token().ok()?;
        let ask = |http: &reqwest::Client, base: &str| {
            let asked = http.get(format!("{base}{path}"));
            asked.header(SERVICE_TOKEN, token.clone()).timeout(PATIENCE)
        };
        let told = async {
            let answer = self.replicas.send(ask, |_| true).await;
            read(answer.map_err(|error| error.to_string())?).await
        };
        self.known(told.await)
    }

    /// How one of its replicas says that it stands.
    async fn stands_at(&self, base: &str, asker: Option<&HeaderValue>) -> Told {
        let Ok(token) = self.token() else {
            return Told::Nothing;
        };
        let asked = self.replicas.client().get(format!("{base}{STANDING}"));
        let mut asked = asked.header(SERVICE_TOKEN, token).timeout(PATIENCE);
        if let Some(name) = asker {
            asked = asked.header(ASKER, name);
        }
        let told = async {
            let answer = asked.send().await;
            let answer = answer.map_err(|error| error.without_url().to_string())?;
            if is_oneself(answer.status()) {
                return Ok(Told::Oneself);
            }
            Ok(Told::Standing(read(answer).await?))
        };
        self.known(told.await).unwrap_or(Told::Nothing)
    }

    fn known<T>(&self, told: Result<T, String>) -> Option<T> {
        told.inspect_err(|error| {
            let contexts = self.contexts.join(", ");
            tracing::warn!(contexts, error, "a process does not tell how it is");
        })
        .ok()
    }

    /// What one of its replicas is known by; of one context alone, where that is named.
    fn names(&self, hosting: Option<&str>, number: usize) -> Vec<String> {
        let contexts = self.contexts.iter();
        let wanted = contexts.filter(|context| hosting.is_none_or(|name| name == **context));
        let name = |context: &&str| {
            if self.has_replicas() {
                format!("{context}, replica {number}")
            } else {
                (*context).to_owned()
            }
        };
        wanted.map(name).collect()
    }

    /// Whether there is more than one of it.
    pub(crate) fn has_replicas(&self) -> bool {
        self.replicas.are_several()
    }

    /// What shows it that a gateway of the deployment asks.
    pub(super) fn token(&self) -> Result<HeaderValue, Problem> {
        self.tokens
            .bearer(GATEWAY)
            .map_err(|error| Problem::internal(&error))
    }
}

/// An answer in JSON, as far as it has a bound.
async fn read<T: DeserializeOwned>(answer: reqwest::Response) -> Result<T, String> {
    let answer = answer.error_for_status();
    let answer = answer.map_err(|error| error.without_url().to_string())?;
    let body = axum::body::Body::new(reqwest::Body::from(answer));
    let bytes = axum::body::to_bytes(body, ANSWER_LIMIT).await;
    let bytes = bytes.map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}
