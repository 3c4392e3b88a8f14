//! The invariants of messages, counted: nobody is told anything twice, and what
//! counts as sent was sent.

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Violation};
use cleave_store::{Store, Tx, Unit, UnitError};
use cleave_vocabulary::{Failure, FailureKind, NotificationId, OrderId};
use sea_orm::{DbErr, QueryResult};

use crate::persistence::books;

/// Violations reported of each check.
const REPORTED: u64 = 100;

/// Counts the context's invariants.
pub(crate) struct NotificationAuditor {
    pub(crate) store: Store,
    /// Whether the mail outbox is here to be looked into.
    pub(crate) simulated: bool,
}

#[async_trait]
impl Auditor for NotificationAuditor {
    async fn audit(&self) -> Audited {
        let simulated = self.simulated;
        let counted = self.store.read(async move |tx| -> Unit<_> {
            let mut checks = vec![told_once(tx).await?];
            if simulated {
                checks.push(sent_is_mailed(tx).await?);
                checks.push(mail_is_ours(tx).await?);
                checks.push(mailed_once(tx).await?);
            }
            Ok(checks)
        });
        counted.await.map_err(|error| {
            let error = UnitError::into_store_error(error);
            Failure::clean(FailureKind::Unavailable, error.to_string()).into()
        })
    }
}

async fn told_once(tx: &Tx) -> Result<AuditCheck, DbErr> {
    let violation = |row: &QueryResult| {
        let kind: String = row.try_get("", "kind")?;
        let times: i64 = row.try_get("", "times")?;
        Ok(Violation {
            subject: OrderId::from_uuid(row.try_get("", "order_id")?).to_string(),
            detail: format!("{kind} is told {times} times"),
        })
    };
    let twice = books::told_twice(tx, REPORTED).await?;
    check(
        "an_event_of_an_order_is_told_once",
        books::about_orders(tx).await?,
        twice.iter().map(violation),
    )
}

async fn sent_is_mailed(tx: &Tx) -> Result<AuditCheck, DbErr> {
    let violation = |row: &QueryResult| {
        Ok(Violation {
            subject: NotificationId::from_uuid(row.try_get("", "id")?).to_string(),
            detail: "it counts as sent and was never mailed".into(),
        })
    };
    let missing = books::sent_without_mail(tx, REPORTED).await?;
    check(
        "a_sent_notification_was_mailed",
        books::sent(tx).await?,
        missing.iter().map(violation),
    )
}

async fn mail_is_ours(tx: &Tx) -> Result<AuditCheck, DbErr> {
    let (mails, ours) = (books::mails(tx).await?, books::mails_of_messages(tx).await?);
    let violation = (mails != ours).then(|| {
        Ok(Violation {
            subject: "mail_outbox".into(),
            detail: format!("{mails} mails went out, {ours} of them for a notification"),
        })
    });
    check("a_mail_has_its_notification", mails, violation)
}

async fn mailed_once(tx: &Tx) -> Result<AuditCheck, DbErr> {
    let violation = |row: &QueryResult| {
        let times: i64 = row.try_get("", "times")?;
        Ok(Violation {
            subject: row.try_get("", "subject")?,
            detail: format!("one address got it {times} times"),
        })
    };
    let twice = books::mailed_twice(tx, REPORTED).await?;
    check(
        "nobody_is_mailed_twice",
        books::mails(tx).await?,
        twice.iter().map(violation),
    )
}

fn check(
    name: &str,
    checked: u64,
    violations: impl IntoIterator<Item = Result<Violation, DbErr>>,
) -> Result<AuditCheck, DbErr> {
    Ok(AuditCheck {
        name: name.to_owned(),
        checked,
        violations: violations.into_iter().collect::<Result<_, _>>()?,
    })
}
