//! `GET /health/live` and `GET /health/ready`: alive is who answers at all;
//! ready is whose contexts all take work. Why one does not goes into the log. A
//! context that can't reach the broker takes work, and is named as degraded: to
//! send its clients away would turn late events into no orders.

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

/// How one context is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It takes work, and its events flow.
    Ready,
    /// It takes work, and its events wait in the outbox: why.
    Degraded(String),
    /// It can't keep anything: why.
    Failing(String),
}

impl Condition {
    /// Of a context over this store, whose events this bus carries.
    pub fn of(store: StoreHealth, bus: Result<(), String>) -> Self {
        match (store, bus) {
            (StoreHealth::Failing(reason), _) => Self::Failing(reason),
            (StoreHealth::Ready, Err(reason)) => Self::Degraded(reason),
            (StoreHealth::Ready, Ok(())) => Self::Ready,
        }
    }

    /// Whether it takes work.
    pub fn takes_work(&self) -> bool {
        !matches!(self, Self::Failing(_))
    }

    /// Whether its events wait.
    pub fn is_degraded(&self) -> bool {
        matches!(self, Self::Degraded(_))
    }

    fn status(&self) -> &'static str {
        if self.takes_work() {
            "ready"
        } else {
            "failing"
        }
    }
}

/// Tells how one context is.
pub type Health = Arc<dyn Fn() -> Condition + Send + Sync>;

/// A context of this process or of another.
pub struct Far {
    /// Its name.
    pub context: &'static str,
    /// Which of its replicas, from 1; none where there is one process alone.
    pub replica: Option<usize>,
    /// How it is there; none where nobody answered.
    pub condition: Option<Condition>,
}

impl Far {
    /// What is said of it where it does not answer. An address is the deployment's
    /// own affair.
    fn name(&self) -> String {
        let context = self.context;
        self.replica.map_or_else(
            || context.to_owned(),
            |number| format!("{context}, replica {number}"),
        )
    }
}

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
    /// The contexts whose process did not answer, and which of its replicas where it
    /// has several; left out where all did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(ignore)]
    unanswered: Vec<String>,
    /// The contexts whose events wait, because their process does not reach the
    /// broker; left out where all flow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(ignore)]
    degraded: Vec<&'static str>,
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
    let own = readiness.contexts.iter();
    let mut all: Vec<Far> = own
        .map(|(context, health)| Far {
            context,
            replica: None,
            condition: Some(health()),
        })
        .collect();
    for far in &all {
        if let Some(Condition::Failing(reason)) = &far.condition {
            tracing::warn!(context = far.context, reason, "not ready");
        }
    }
    if let Some(ask) = &readiness.elsewhere {
        all.extend(ask().await);
    }
    let report = Report::of(&all, stopping);
    let code = if report.status == "ready" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(report)).into_response()
}

impl Report {
    fn of(all: &[Far], stopping: bool) -> Self {
        let mut contexts: BTreeMap<&str, ContextReport> = BTreeMap::new();
        let mut degraded = Vec::new();
        for far in all {
            // One replica that takes work is enough.
            let status = far.condition.as_ref().map_or("failing", Condition::status);
            let known = contexts.entry(far.context);
            let report = known.or_insert(ContextReport { status });
            if status == "ready" {
                report.status = status;
            }
            let waits = far.condition.as_ref().is_some_and(Condition::is_degraded);
            degraded.extend(waits.then_some(far.context));
        }
        degraded.sort_unstable();
        degraded.dedup();
        let failing = contexts.values().any(|context| context.status != "ready");
        let silent = all.iter().filter(|far| far.condition.is_none());
        let mut unanswered: Vec<String> = silent.map(Far::name).collect();
        unanswered.sort_unstable();
        Self {
            status: match (stopping, failing) {
                (true, _) => "stopping",
                (_, true) => "failing",
                _ => "ready",
            },
            contexts,
            unanswered,
            degraded,
        }
    }
}
