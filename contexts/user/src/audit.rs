//! The invariants of accounts and sessions, counted.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Violation};
use cleave_store::{Unit, UnitError};
use cleave_vocabulary::{Failure, FailureKind, UserId};

use crate::application::Services;
use crate::persistence::{sessions, users};

/// Violations reported of each check.
const REPORTED: u64 = 100;

/// Counts the context's invariants.
pub(crate) struct UserAuditor(pub(crate) Arc<Services>);

#[async_trait]
impl Auditor for UserAuditor {
    async fn audit(&self) -> Audited {
        let counted = self.0.store.read(async |tx| {
            let shared = users::sharing_an_email(tx, REPORTED).await?;
            let odd = sessions::without_one_unused_token(tx, REPORTED).await?;
            let emails = AuditCheck {
                name: "an_email_has_one_account".into(),
                checked: users::count(tx).await?,
                violations: shared.into_iter().map(shares_its_email).collect(),
            };
            let tokens = AuditCheck {
                name: "a_live_session_has_one_unused_refresh_token".into(),
                checked: sessions::count_live(tx).await?,
                violations: odd
                    .into_iter()
                    .map(|(session, unused)| Violation {
                        subject: session.to_string(),
                        detail: format!("it has {unused}"),
                    })
                    .collect(),
            };
            Unit::Ok(vec![emails, tokens])
        });
        counted.await.map_err(|error| {
            let error = UnitError::into_store_error(error);
            Failure::clean(FailureKind::Unavailable, error.to_string()).into()
        })
    }
}

/// Names the account; the address itself is nobody's business here.
fn shares_its_email(user: UserId) -> Violation {
    Violation {
        subject: user.to_string(),
        detail: "its address belongs to another account too".into(),
    }
}
