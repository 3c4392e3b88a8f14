//! `GET /health/live` and `GET /health/ready`: alive is who answers at all;
//! ready is whose contexts all take work. Why one does not goes into the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use cleave_store::StoreHealth;
use cleave_web::schema::one_of;
use futures::future::BoxFuture;
use http::StatusCode;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::Schema;

/// Tells how one context is.
pub type Health = Arc<dyn Fn() -> StoreHealth + Send + Sync>;

/// A context of another process, and whether it takes work; none where nobody answered.
pub type Far = (&'static str, Option<bool>);

/// Asks the other processes how their contexts are.
pub type Elsewhere = Arc<dyn Fn() -> BoxFuture<'static, Vec<Far>> + Send + Sync>;

/// What readiness depends on.
#[derive(Clone)]
pub struct Readiness {
    /// The contexts of this process.
    pub contexts: Arc<BTreeMap<&'static str, Health>>,
    /// Those of the others; none where this process speaks for itself alone.
    pub elsewhere: Option<Elsewhere>,
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

/// Whether the program answers.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Liveness {
    #[schema(schema_with = alive)]
    status: &'static str,
}

/// Whether every context takes work.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Readiness)]
pub(crate) struct Report {
    #[schema(schema_with = standings)]
    status: &'static str,
    /// Each by its name.
    #[schema(value_type = HashMap<String, ContextReport>)]
    contexts: BTreeMap<&'static str, ContextReport>,
    /// The contexts whose process did not answer; left out where all did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(ignore)]
    unanswered: Vec<&'static str>,
}

/// Whether one context takes work.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContextReadiness)]
pub(crate) struct ContextReport {
    #[schema(schema_with = standings)]
    status: &'static str,
}

fn alive() -> Schema {
    one_of(["live"])
}

fn standings() -> Schema {
    one_of(["ready", "failing", "stopping"])
}

/// Whether the process answers at all.
#[utoipa::path(
    get, path = "/health/live", tag = "platform", operation_id = "get_liveness",
    responses((status = 200, description = "It does.", body = Liveness))
)]
pub(crate) async fn live() -> Json<Liveness> {
    Json(Liveness { status: "live" })
}

/// Whether every context takes work.
#[utoipa::path(
    get, path = "/health/ready", tag = "platform", operation_id = "get_readiness",
    responses(
        (status = 200, description = "All of them do.", body = Report),
        (status = 503, description = "One does not, or the program is about to stop.", body = Report),
    )
)]
pub(crate) async fn ready(State(readiness): State<Readiness>) -> Response {
    let stopping = readiness.stop.is_cancelled();
    let mut contexts: BTreeMap<_, _> = readiness
        .contexts
        .iter()
        .map(|(name, health)| (*name, report(name, &health())))
        .collect();
    let mut unanswered = Vec::new();
    if let Some(ask) = &readiness.elsewhere {
        for (name, ready) in ask().await {
            let status = if ready == Some(true) {
                "ready"
            } else {
                "failing"
            };
            contexts.insert(name, ContextReport { status });
            if ready.is_none() {
                unanswered.push(name);
            }
        }
    }
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
    let report = Report {
        status,
        contexts,
        unanswered,
    };
    (code, Json(report)).into_response()
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
