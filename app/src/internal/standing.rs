//! How the contexts of this process stand, and what their public operations
//! are, for gateways elsewhere that tell it for the whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;

use crate::host::{Condition, Readiness};

/// Where it is asked for.
pub const STANDING: &str = "/internal/v1/standing";
/// Where the document of the public operations of a process is.
pub const DOCUMENT: &str = "/internal/v1/operations.json";

/// How a process stands. Only ever grows by optional members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// The version of the program.
    pub version: String,
    /// Whether it is about to stop.
    pub stopping: bool,
    /// Its contexts, and whether each takes work.
    pub contexts: BTreeMap<String, bool>,
    /// Those that take work, and whose events wait for the broker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
}

impl Standing {
    /// How one of its contexts is.
    pub fn of(&self, context: &str) -> Condition {
        let failing = |reason: &str| Condition::Failing(reason.to_owned());
        match self.contexts.get(context) {
            _ if self.stopping => failing("its process is about to stop"),
            None => failing("its process does not host it"),
            Some(false) => failing("its process says so"),
            Some(true) if self.degraded.iter().any(|name| name == context) => {
                Condition::Degraded("its process does not reach the broker".to_owned())
            }
            Some(true) => Condition::Ready,
        }
    }
}

/// How it stands.
pub(super) fn routes(readiness: Readiness) -> Router {
    Router::new().route(STANDING, get(standing).with_state(readiness))
}

/// What its public operations are.
pub(super) fn document(told: OpenApi) -> Router {
    Router::new().route(DOCUMENT, get(operations).with_state(Arc::new(told)))
}

/// The public operations of the contexts that are here.
#[utoipa::path(
    get, path = DOCUMENT, tag = "process", operation_id = "get_operations",
    responses((status = 200, description = "Their OpenAPI document.", body = Object))
)]
pub(super) async fn operations(State(told): State<Arc<OpenApi>>) -> Json<Arc<OpenApi>> {
    Json(told)
}

/// How the process stands.
#[utoipa::path(
    get, path = STANDING, tag = "process", operation_id = "get_standing",
    responses((status = 200, description = "It answers.", body = Standing))
)]
pub(super) async fn standing(State(readiness): State<Readiness>) -> Json<Standing> {
    let contexts = readiness.contexts.iter();
    let conditions: BTreeMap<String, Condition> = contexts
        .map(|(name, health)| ((*name).to_owned(), health()))
        .collect();
    let degraded = conditions.iter().filter(|(_, it)| it.is_degraded());
    Json(Standing {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        stopping: readiness.stop.is_cancelled(),
        degraded: degraded.map(|(name, _)| name.clone()).collect(),
        contexts: conditions
            .into_iter()
            .map(|(name, condition)| (name, condition.takes_work()))
            .collect(),
    })
}
