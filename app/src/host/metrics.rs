//! Metrics: recorded by every crate through the `metrics` facade, kept here in
//! bounded buckets, shown as Prometheus text at `GET /metrics`.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use cleave_vocabulary::Clock;
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// Seconds: from well below a request's cost to beyond its time limit.
const BUCKETS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// What is observed between two readings is folded this often, read or not.
const UPKEEP: Duration = Duration::from_secs(5);

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Takes what the whole process records from now on; once in a process.
    pub fn install() -> Result<Self, BuildError> {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS)?;
        builder.install_recorder().map(Self)
    }

    /// Metrics that nobody records to, for a process that has a recorder already.
    pub fn detached() -> Self {
        Self(PrometheusBuilder::new().build_recorder().handle())
    }

    /// Folds what was observed, until `stop`: without it, what nobody reads
    /// would be kept as it came.
    pub async fn upkeep(self, clock: std::sync::Arc<dyn Clock>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = clock.sleep(UPKEEP) => self.0.run_upkeep(),
            }
        }
    }
}

/// `GET /metrics`.
pub fn metrics(metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .with_state(metrics)
}

/// What the process has counted and measured, as Prometheus reads it.
#[utoipa::path(
    get, path = "/metrics", tag = "platform", operation_id = "get_metrics",
    responses((status = 200, description = "Metrics.", body = String, content_type = "text/plain; version=0.0.4; charset=utf-8"))
)]
pub(crate) async fn show(State(metrics): State<Metrics>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], metrics.0.render())
}
