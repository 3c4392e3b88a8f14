//! The invariants, counted over the live data.

use axum::Json;
use axum::extract::State;
use cleave_web::Problem;

use super::{Admin, Ops};
use crate::audit::{AuditReport, audit};

/// Counts the invariants over the live data.
#[utoipa::path(
    post,
    path = "/api/v1/ops/audit",
    tag = "ops",
    operation_id = "run_audit",
    responses(
        (status = 200, body = AuditReport),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn run_audit(
    State(ops): State<Ops>,
    _: Admin,
) -> Result<Json<AuditReport>, Problem> {
    Ok(Json(audit(&ops.auditors).await?))
}
