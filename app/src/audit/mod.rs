//! The invariants of the whole, counted over the live data: each context counts
//! its own, in whichever process it is, and `events` counts what only the host
//! can see.

mod elsewhere;
mod events;
mod patient;
pub mod port;

use std::sync::Arc;

use cleave_hosting::{AuditCheck, Auditor, Seen};
use cleave_vocabulary::PortError;
use serde::Serialize;

pub use elsewhere::{RemoteAuditor, Reporting};
pub use events::{EventsAuditor, Watched};
pub use patient::Patient;
pub use port::LocalAudit;

/// Every invariant, and whether all of them hold.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct AuditReport {
    /// Whether no invariant is broken.
    pub ok: bool,
    /// Each invariant.
    pub checks: Vec<AuditCheck>,
}

/// Counts them all, one auditor after the other.
pub async fn audit(auditors: &[Arc<dyn Auditor>], seen: &Seen) -> Result<AuditReport, PortError> {
    let mut checks = Vec::new();
    for auditor in auditors {
        checks.extend(auditor.count(seen).await?);
    }
    let ok = checks.iter().all(|check| check.violations.is_empty());
    Ok(AuditReport { ok, checks })
}
