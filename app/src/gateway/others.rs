//! The processes that host what is not here, as the gateway asks them.

use std::sync::Arc;
use std::time::Duration;

use cleave_web::{Problem, ServiceTokens};
use futures::future::join_all;
use http::HeaderValue;

use crate::internal::{SERVICE_TOKEN, STANDING, Standing};
use crate::topology::{GATEWAY, Links};

/// Who does not say within this time how it stands is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// All of them; none in a monolith.
#[derive(Clone, Default)]
pub struct Others(Arc<Vec<Arc<Process>>>);

/// One of them.
pub struct Process {
    /// `http://10.0.0.7:9080`.
    pub base: String,
    /// What it hosts.
    pub contexts: Vec<&'static str>,
    client: reqwest::Client,
    tokens: Arc<ServiceTokens>,
}

impl Others {
    /// Those that the links lead to.
    pub fn of(links: &Links) -> Result<Self, String> {
        let tokens = links.tokens(GATEWAY).map_err(|error| error.to_string())?;
        let tokens = Arc::new(tokens);
        let topology = links.topology();
        let process = |(base, contexts): (&str, Vec<&'static str>)| {
            Arc::new(Process {
                base: base.to_owned(),
                contexts,
                client: links.forwarding(),
                tokens: tokens.clone(),
            })
        };
        Ok(Self(Arc::new(
            topology.processes().into_iter().map(process).collect(),
        )))
    }

    /// How each of them stands, asked now; none where it does not answer.
    pub async fn standings(&self) -> Vec<(Arc<Process>, Option<Standing>)> {
        let ask = async |process: &Arc<Process>| (process.clone(), process.standing().await);
        join_all(self.iter().map(ask)).await
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.0.iter()
    }
}

impl Process {
    async fn standing(&self) -> Option<Standing> {
        let asked = self.client.get(format!("{}{STANDING}", self.base));
        let token = self.token().ok()?;
        let asked = asked.header(SERVICE_TOKEN, token).timeout(PATIENCE);
        let answer = asked
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        let standing = async { answer?.json().await }.await;
        let error: reqwest::Error = match standing {
            Ok(standing) => return Some(standing),
            Err(error) => error,
        };
        let contexts = self.contexts.join(", ");
        tracing::warn!(contexts, error = %error.without_url(), "a process does not say how it stands");
        None
    }

    /// What asks it.
    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// What shows it that a gateway of the deployment asks.
    pub(super) fn token(&self) -> Result<HeaderValue, Problem> {
        self.tokens
            .bearer(GATEWAY)
            .map_err(|error| Problem::internal(&error))
    }
}
