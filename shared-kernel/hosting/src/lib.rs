//! A context is a value: built from what it needs, it gives what it offers. The
//! composition root builds the contexts that the topology places in a process
//! and hands every consumer a port; no context can tell where the others run.

mod audit;
mod context;
mod operations;

pub use audit::{AuditCheck, Audited, Auditor, Seen, Violation};
pub use context::{Context, Needs, Task};
pub use operations::{SagaAdmin, SagaAdminError};
