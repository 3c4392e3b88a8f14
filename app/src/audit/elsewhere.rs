//! Audits over several processes: a context's own checks, counted where it is,
//! and what could not be counted because somebody did not answer.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Seen};
use cleave_vocabulary::{CallContext, IdSource};

use super::events::Watched;
use super::port::OfContext;

/// Has a context counted by the process that hosts it.
pub struct RemoteAuditor {
    /// Which, and where.
    pub at: Watched,
    /// Gives the calls their ids.
    pub ids: Arc<dyn IdSource>,
}

#[async_trait]
impl Auditor for RemoteAuditor {
    async fn count(&self, _: &Seen) -> Audited {
        let call = CallContext::root(&*self.ids);
        let context = self.at.context.to_owned();
        let told = self.at.port.audit_checks(&call, OfContext { context });
        Ok(told.await?.checks)
    }
}

/// Says of what could not be counted that it could not, and goes on with the rest:
/// with several processes, one that is away must not hide what the others know.
pub struct Reporting {
    /// `order`, or `events`.
    pub of: &'static str,
    /// Counts it.
    pub inner: Arc<dyn Auditor>,
}

#[async_trait]
impl Auditor for Reporting {
    async fn count(&self, seen: &Seen) -> Audited {
        Ok(self.inner.count(seen).await.unwrap_or_else(|error| {
            let mut check = AuditCheck::named(format!("{}_could_be_counted", self.of));
            check.see(&self.of, Some(format!("somebody did not answer: {error}")));
            vec![check]
        }))
    }
}
