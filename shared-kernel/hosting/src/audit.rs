//! Invariants, counted over the live data.

use async_trait::async_trait;
use cleave_vocabulary::PortError;
use serde::Serialize;

/// One broken invariant.
#[derive(Debug, Clone, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Violation {
    /// What breaks it: an id.
    pub subject: String,
    /// How.
    pub detail: String,
}

/// One invariant, and how it stands.
#[derive(Debug, Clone, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct AuditCheck {
    /// `stock_is_never_oversold`.
    pub name: String,
    /// How many things were looked at.
    pub checked: u64,
    /// Which of them break it (the first hundred).
    pub violations: Vec<Violation>,
}

/// The outcome for one context.
pub type Audited = Result<Vec<AuditCheck>, PortError>;

/// Counts a context's invariants, those across its own ports included.
#[async_trait]
pub trait Auditor: Send + Sync + 'static {
    /// Counts them all, over consistent snapshots, in bounded memory.
    async fn audit(&self) -> Audited;
}
