//! The invariants of messages, counted: nobody is told anything twice, and what
//! counts as sent was sent. Messages and mails are walked through a page at a
//! time, so that an audit holds up no query.

mod repeats;

use std::sync::Arc;

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Seen};
use cleave_store::{Store, Tx, Unit, UnitError};
use cleave_vocabulary::{Clock, Failure, FailureKind, PortError, Timestamp};

use self::repeats::Repeats;
use crate::persistence::books::{self, BookedMessage};

/// Rows looked at together.
const PAGE: u64 = 500;
/// Repeats that are looked into; the rest only show that there are more.
const SUSPECTS: usize = 100;

/// Counts the context's invariants.
pub(crate) struct NotificationAuditor {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether the mail outbox is here to be looked into.
    pub(crate) simulated: bool,
}

#[async_trait]
impl Auditor for NotificationAuditor {
    async fn count(&self, seen: &Seen) -> Audited {
        // Mails of later are left out: their messages may be on their way.
        let until = self.clock.now();
        let mails = if self.simulated {
            Some(self.mails(until, seen).await?)
        } else {
            None
        };
        let messages = self.messages(until, seen).await?;
        let mut checks = vec![messages.told_once];
        if let Some(mailed_once) = mails {
            let ours = strays(mailed_once.checked, messages.mailed);
            checks.extend([messages.sent, ours, mailed_once]);
        }
        Ok(checks)
    }
}

fn strays(mails: u64, ours: u64) -> AuditCheck {
    let mut check = AuditCheck::named("a_mail_has_its_notification");
    check.checked = mails;
    if mails > ours {
        let detail = format!("{mails} mails went out, {ours} of them for a notification");
        check.violated(&"mail_outbox", detail);
    }
    check
}

/// What a walk through the messages found.
struct Messages {
    told_once: AuditCheck,
    sent: AuditCheck,
    /// How many have their mail in the mail outbox.
    mailed: u64,
}

impl Messages {
    fn see(&mut self, message: &BookedMessage, until: Timestamp) {
        if message.order.is_some() {
            self.told_once.checked += 1;
        }
        if message.sent {
            let told = || "it counts as sent and was never mailed".to_owned();
            let unmailed = message.mailed_at.is_none();
            self.sent.see(&message.id, unmailed.then(told));
        }
        if message.mailed_at.is_some_and(|at| at <= until) {
            self.mailed += 1;
        }
    }
}

impl NotificationAuditor {
    async fn messages(&self, until: Timestamp, seen: &Seen) -> Result<Messages, PortError> {
        let mut found = Messages {
            told_once: AuditCheck::named("an_event_of_an_order_is_told_once"),
            sent: AuditCheck::named("a_sent_notification_was_mailed"),
            mailed: 0,
        };
        let mut repeats = Repeats::new();
        let mut suspects = Vec::new();
        loop {
            let mut place = None;
            loop {
                let page = async move |tx: &Tx| Ok(books::messages_after(tx, place, PAGE).await?);
                let page = self.read(page).await?;
                let Some(last) = page.last() else { break };
                place = Some((last.user, last.id));
                seen.add(page.len());
                for message in page {
                    if repeats.is_first_round() {
                        found.see(&message, until);
                    }
                    let Some(order) = message.order else { continue };
                    let told = (order, message.kind);
                    if repeats.seems_repeated(&told) && suspects.len() < SUSPECTS {
                        suspects.push(told);
                    }
                }
            }
            if !repeats.next_round() {
                break;
            }
        }
        for (order, kind) in suspects {
            let asked = kind.clone();
            let times = async move |tx: &Tx| Ok(books::times_told(tx, order, &asked).await?);
            let times = self.read(times).await?;
            if times > 1 {
                let detail = format!("{kind} is told {times} times");
                found.told_once.violated(&order, detail);
            }
        }
        Ok(found)
    }

    /// Mails that went out until then; one address gets each subject once, for
    /// no two messages to one person have the same.
    async fn mails(&self, until: Timestamp, seen: &Seen) -> Result<AuditCheck, PortError> {
        let mut once = AuditCheck::named("nobody_is_mailed_twice");
        let mut repeats = Repeats::new();
        let mut suspects = Vec::new();
        loop {
            let mut place = None;
            loop {
                let page = async move |tx: &Tx| Ok(books::mails_after(tx, place, PAGE).await?);
                let page = self.read(page).await?;
                let Some(last) = page.last() else { break };
                place = Some(last.key);
                seen.add(page.len());
                for mail in page.into_iter().filter(|mail| mail.at <= until) {
                    if repeats.is_first_round() {
                        once.checked += 1;
                    }
                    let got = (mail.recipient, mail.subject);
                    if repeats.seems_repeated(&got) && suspects.len() < SUSPECTS {
                        suspects.push(got);
                    }
                }
            }
            if !repeats.next_round() {
                break;
            }
        }
        for (recipient, subject) in suspects {
            let asked = subject.clone();
            let times = async move |tx: &Tx| Ok(books::times_mailed(tx, &recipient, &asked).await?);
            let times = self.read(times).await?;
            if times > 1 {
                once.violated(&subject, format!("one address got it {times} times"));
            }
        }
        Ok(once)
    }

    async fn read<T, F>(&self, query: F) -> Result<T, PortError>
    where
        F: AsyncFn(&Tx) -> Unit<T> + Send + 'static,
        T: Send + 'static,
    {
        self.store.read(query).await.map_err(|error| {
            let error = UnitError::into_store_error(error);
            Failure::clean(FailureKind::Unavailable, error.to_string()).into()
        })
    }
}
