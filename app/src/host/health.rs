//! `GET /health/live` and `GET /health/ready`: alive is who answers at all;
//! ready is whose contexts all take work. Why one does not goes into the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use cleave_store::StoreHealth;
use http::StatusCode;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// Tells how one context is.
pub type Health = Arc<dyn Fn() -> StoreHealth + Send + Sync>;

/// What readiness depends on.
#[derive(Clone)]
pub struct Readiness {
    /// The contexts of this process.
    pub contexts: Arc<BTreeMap<&'static str, Health>>,
    /// Cancelled once the program is about to stop.
    pub stop: CancellationToken,
}

/// The two addresses.
pub fn health(readiness: Readiness) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(readiness)
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    contexts: BTreeMap<&'static str, ContextReport>,
}

#[derive(Serialize)]
struct ContextReport {
    status: &'static str,
}

async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "live"}))
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let stopping = readiness.stop.is_cancelled();
    let contexts: BTreeMap<_, _> = readiness
        .contexts
        .iter()
        .map(|(name, health)| (*name, report(name, &health())))
        .collect();
    let failing = contexts.values().any(|context| context.status != "ready");
    let status = match (stopping, failing) {
        (true, _) => "stopping",
        (_, true) => "failing",
        _ => "ready",
    };
    let code = if status == "ready" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(Report { status, contexts })).into_response()
}

fn report(name: &str, health: &StoreHealth) -> ContextReport {
    match health {
        StoreHealth::Ready => ContextReport { status: "ready" },
        StoreHealth::Failing(reason) => {
            tracing::warn!(context = name, reason, "not ready");
            ContextReport { status: "failing" }
        }
    }
}
