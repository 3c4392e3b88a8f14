//! The simulated mail transport: a durable outbox that can be looked at, in
//! place of a mail server. It knows a mail by its key and takes each over once.
//!
//! Two domains that can never exist (RFC 2606) are instruments for tests: mail
//! to `bounce.invalid` is refused, and mail to `flaky.invalid` is put off twice.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_store::{Store, StoreError, Tx, Unit, UnitError, portions, sql};
use cleave_vocabulary::{
    CallContext, Clock, Failure, FailureKind, NotificationId, PortError, Timestamp,
};
use sea_orm::{DbErr, Value};

use super::{Delivery, Mail, MailTransport};

/// What the simulated transport has taken over. Cheap to clone.
#[derive(Clone)]
pub struct MailOutbox {
    store: Store,
    clock: Arc<dyn Clock>,
}

/// A mail that was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMail {
    /// The key that it came under.
    pub key: NotificationId,
    /// The address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// When it was taken over.
    pub accepted_at: Timestamp,
    /// How often it came again, and was not taken over again.
    pub repeats: i64,
}

impl MailOutbox {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Up to `limit` mails, newest first, behind `before` where given.
    pub async fn newest(
        &self,
        before: Option<NotificationId>,
        limit: u64,
    ) -> Result<Vec<SentMail>, StoreError> {
        let before = before.map_or(uuid::Uuid::max(), NotificationId::uuid);
        let read = self.store.read(async move |tx| -> Unit<_> {
            const NEWEST: &str = "SELECT key, recipient, subject, body, accepted_at, repeats \
                 FROM mail_outbox WHERE key < $1 ORDER BY key DESC LIMIT $2";
            let values = vec![before.into(), sql::signed(limit).into()];
            let rows = sql::query(tx, NEWEST, values).await?;
            let mails: Result<_, DbErr> = rows.iter().map(sent_mail).collect();
            Ok(mails?)
        });
        read.await.map_err(UnitError::into_store_error)
    }
}

fn sent_mail(row: &sea_orm::QueryResult) -> Result<SentMail, DbErr> {
    Ok(SentMail {
        key: NotificationId::from_uuid(row.try_get("", "key")?),
        to: row.try_get("", "recipient")?,
        subject: row.try_get("", "subject")?,
        body: row.try_get("", "body")?,
        accepted_at: Timestamp::from_micros(row.try_get("", "accepted_at")?),
        repeats: row.try_get("", "repeats")?,
    })
}

#[async_trait]
impl MailTransport for MailOutbox {
    async fn deliver(
        &self,
        _call: &CallContext,
        mails: &[Mail],
    ) -> Result<Vec<Delivery>, PortError> {
        let answers: Vec<Delivery> = mails.iter().map(answer).collect();
        let accepted = mails.iter().zip(&answers);
        let accepted = accepted.filter(|(_, answer)| **answer == Delivery::Accepted);
        let now = self.clock.now().as_micros();
        let row = |(mail, _): (&Mail, _)| -> [Value; COLUMNS] {
            [
                mail.key.uuid().into(),
                mail.to.as_str().into(),
                mail.subject.as_str().into(),
                mail.body.as_str().into(),
                now.into(),
                0_i64.into(),
            ]
        };
        let rows: Vec<_> = accepted.map(row).collect();
        let unit = async move |tx: &Tx| -> Unit<()> {
            for portion in portions(&rows) {
                let values = portion.iter().flatten().cloned();
                sql::execute(tx, insert(portion.len()), values).await?;
            }
            Ok(())
        };
        let kept = self.store.write(unit).await;
        kept.map_err(|error| failure(&error.into_store_error()))?;
        Ok(answers)
    }
}

const COLUMNS: usize = 6;

fn insert(rows: usize) -> String {
    const HEAD: &str =
        "INSERT INTO mail_outbox (key, recipient, subject, body, accepted_at, repeats) VALUES ";
    const TAIL: &str = " ON CONFLICT (key) DO UPDATE SET repeats = mail_outbox.repeats + 1";
    sql::values_list(HEAD, 1, COLUMNS, rows, TAIL)
}

fn answer(mail: &Mail) -> Delivery {
    match mail.to.rsplit_once('@').map(|(_, domain)| domain) {
        Some("bounce.invalid") => Delivery::Refused("550 5.1.1 no such mailbox".into()),
        Some("flaky.invalid") if mail.attempt <= 2 => {
            Delivery::Deferred("450 4.2.1 mailbox busy, try again later".into())
        }
        _ => Delivery::Accepted,
    }
}

fn failure(error: &StoreError) -> Failure {
    // The unit may be running still when its caller has stopped waiting.
    Failure::unknown(FailureKind::Unavailable, error.to_string())
}
