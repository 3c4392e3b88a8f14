//! How the contexts of this process stand, and what their public operations
//! are, for gateways elsewhere that tell it for the whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use cleave_store::StoreHealth;
use serde::{Deserialize, Serialize};
use utoipa::openapi::OpenApi;

use crate::host::Readiness;

/// Where it is asked for.
pub const STANDING: &str = "/internal/v1/standing";
/// Where the document of the public operations of a process is.
pub const DOCUMENT: &str = "/internal/v1/operations.json";

/// How a process stands. Only ever grows by optional members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The version of the program.
    pub version: String,
    /// Whether it is about to stop.
    pub stopping: bool,
    /// Its contexts, and whether each takes work.
    pub contexts: BTreeMap<String, bool>,
}

/// Both addresses.
pub(super) fn routes(readiness: Readiness, operations: OpenApi) -> Router {
    let operations = Arc::new(operations);
    let told = async move || Json(operations);
    Router::new()
        .route(STANDING, get(standing))
        .with_state(readiness)
        .route(DOCUMENT, get(told))
}

async fn standing(State(readiness): State<Readiness>) -> Json<Standing> {
    let contexts = readiness.contexts.iter();
    Json(Standing {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        stopping: readiness.stop.is_cancelled(),
        contexts: contexts
            .map(|(name, health)| ((*name).to_owned(), health() == StoreHealth::Ready))
            .collect(),
    })
}
