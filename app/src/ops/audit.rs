//! The invariants, counted over the live data.

use axum::Json;
use axum::extract::State;
use cleave_hosting::Seen;
use cleave_web::{Admin, Problem};

use super::Ops;
use crate::audit::{AuditReport, audit};

/// Where the audit is asked for. It takes longer the more there is to look at,
/// and so it has a time limit of its own.
pub const AUDIT: &str = "/api/v1/ops/audit";

/// Counts the invariants over the live data.
///
/// Looks at everything there is, a page at a time, and so it takes longer the
/// more that is: some twenty seconds for a hundred thousand orders on two cores.
/// Its time limit is the setting `http.audit_limit` (10 minutes) and not that of
/// other requests; past it, 503. A client that goes away ends it.
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
    Ok(Json(audit(&ops.auditors, &Seen::default()).await?))
}
