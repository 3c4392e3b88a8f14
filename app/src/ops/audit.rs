//! The invariants, counted over the live data.

use axum::Json;
use axum::extract::State;
use cleave_hosting::AuditCheck;
use cleave_web::Problem;
use serde::Serialize;

use super::{Admin, Operations, Ops};

/// How the invariants stand.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Audit {
    /// Whether nothing breaks any.
    pub ok: bool,
    /// Each invariant.
    pub checks: Vec<AuditCheck>,
}

impl Operations {
    /// Counts them, one context after the other: the data may be large, and
    /// orders go on being served beside it.
    pub async fn audit(&self) -> Result<Audit, Problem> {
        let mut checks = Vec::new();
        for auditor in &self.auditors {
            checks.extend(auditor.audit().await?);
        }
        let ok = checks.iter().all(|check| check.violations.is_empty());
        Ok(Audit { ok, checks })
    }
}

/// Counts the invariants over the live data.
#[utoipa::path(
    post,
    path = "/api/v1/ops/audit",
    tag = "ops",
    operation_id = "run_audit",
    responses(
        (status = 200, body = Audit),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn run_audit(State(ops): State<Ops>, _: Admin) -> Result<Json<Audit>, Problem> {
    ops.audit().await.map(Json)
}
