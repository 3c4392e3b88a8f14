//! The invariants of accounts and sessions, counted a page at a time, so that
//! nobody's sign-in waits for an audit.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Seen};
use cleave_store::{Unit, UnitError};
use cleave_vocabulary::{Failure, FailureKind, PortError};

use crate::application::Services;
use crate::persistence::{sessions, users};

/// Rows looked at together.
const PAGE: u64 = 500;

/// Counts the context's invariants.
pub(crate) struct UserAuditor(pub(crate) Arc<Services>);

#[async_trait]
impl Auditor for UserAuditor {
    async fn count(&self, seen: &Seen) -> Audited {
        Ok(vec![self.emails(seen).await?, self.tokens(seen).await?])
    }
}

impl UserAuditor {
    /// Accounts in the order of their addresses: those that share one stand together.
    async fn emails(&self, seen: &Seen) -> Result<AuditCheck, PortError> {
        let mut check = AuditCheck::named("an_email_has_one_account");
        let mut place = None;
        loop {
            let behind = place.clone();
            let page: Unit<_> = self
                .0
                .store
                .read(async move |tx| Ok(users::by_email_after(tx, behind.as_ref(), PAGE).await?))
                .await;
            let page = page.map_err(failed)?;
            if page.is_empty() {
                return Ok(check);
            }
            seen.add(page.len());
            for (email, user) in page {
                let shared = place.as_ref().is_some_and(|(last, _)| *last == email);
                // The address itself is nobody's business here.
                let told = || "its address belongs to another account too".to_owned();
                check.see(&user, shared.then(told));
                place = Some((email, user));
            }
        }
    }

    async fn tokens(&self, seen: &Seen) -> Result<AuditCheck, PortError> {
        let mut check = AuditCheck::named("a_live_session_has_one_unused_refresh_token");
        let mut place = None;
        loop {
            let page: Unit<_> = self
                .0
                .store
                .read(async move |tx| Ok(sessions::unused_tokens_after(tx, place, PAGE).await?))
                .await;
            let page = page.map_err(failed)?;
            let Some(last) = page.last() else {
                return Ok(check);
            };
            place = Some(last.session);
            seen.add(page.len());
            for row in page.iter().filter(|row| row.live) {
                let told = || format!("it has {}", row.unused);
                check.see(&row.session, (row.unused != 1).then(told));
            }
        }
    }
}

fn failed(error: UnitError<std::convert::Infallible>) -> PortError {
    let error = error.into_store_error();
    Failure::clean(FailureKind::Unavailable, error.to_string()).into()
}
