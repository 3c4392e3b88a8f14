//! Settles a batch in one unit of work: a statement for all that was sent, one
//! for their events, and one for each of the few that were not sent.

use std::collections::HashSet;

use cleave_lease::Term;
use cleave_messaging::Outbox;
use cleave_notification_contract::events::{NotificationFailed, NotificationSent};
use cleave_store::{StoreError, Tx, Unit, UnitError};
use cleave_vocabulary::{Envelope, NotificationId, Timestamp, UserId};
use sea_orm::DbErr;

use super::Sender;
use crate::domain::{EMAIL, Queued, Settlement};
use crate::persistence::notifications::{self, Due};

/// What became of a batch.
pub(super) struct Settled {
    at: Timestamp,
    sent: Vec<Queued>,
    /// The latest moment that any of the sent was due.
    due: Timestamp,
    unsent: Vec<(Queued, Settlement)>,
    put_off: Vec<((UserId, NotificationId), Timestamp)>,
}

impl Settled {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            at,
            sent: Vec::new(),
            due: Timestamp::EPOCH,
            unsent: Vec::new(),
            put_off: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, due: Due, settlement: Settlement) {
        if settlement == Settlement::Sent {
            self.due = self.due.max(due.since);
            self.sent.push(due.queued);
        } else {
            self.unsent.push((due.queued, settlement));
        }
    }

    pub(super) fn fail(&mut self, due: Due, error: String) {
        self.add(due, Settlement::Failed { error });
    }

    pub(super) fn put_off(&mut self, queued: &Queued, until: Timestamp) {
        self.put_off.push(((queued.user, queued.id), until));
    }

    fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.unsent.is_empty() && self.put_off.is_empty()
    }
}

/// A settled batch with the event that each message deserves.
struct Announced {
    settled: Settled,
    /// Beside `settled.sent`.
    sent: Vec<Envelope>,
    /// Beside `settled.unsent`: one for each that has failed for good.
    failed: Vec<Option<Envelope>>,
}

impl Sender {
    /// Writes down what became of a batch, and says so; false where that is
    /// another sender's by now.
    pub(super) async fn settle(&self, term: &Term, settled: Settled) -> Result<bool, StoreError> {
        if settled.is_empty() {
            return Ok(true);
        }
        let (announced, term) = (self.announce(settled), term.clone());
        let written = self.store.write(async move |tx| -> Unit<_> {
            if !term.holds(tx).await? {
                return Ok(None);
            }
            Ok(Some(write(tx, &announced).await?))
        });
        let written = written.await.map_err(UnitError::into_store_error)?;
        let Some((sent, failed)) = written else {
            return Ok(false);
        };
        metrics::counter!("cleave_notifications_total", "outcome" => "sent").increment(sent);
        metrics::counter!("cleave_notifications_total", "outcome" => "failed").increment(failed);
        Ok(true)
    }

    fn announce(&self, settled: Settled) -> Announced {
        let sent = settled.sent.iter().map(|queued| {
            let event = NotificationSent {
                notification_id: queued.id,
                user_id: queued.user,
                kind: queued.kind.clone(),
                channel: EMAIL.to_owned(),
                order_id: queued.order,
            };
            self.events.event(&queued.call(), &event)
        });
        let failed = settled.unsent.iter().map(|(queued, settlement)| {
            let Settlement::Failed { error } = settlement else {
                return None;
            };
            let event = NotificationFailed {
                notification_id: queued.id,
                user_id: queued.user,
                kind: queued.kind.clone(),
                channel: EMAIL.to_owned(),
                order_id: queued.order,
                error: error.clone(),
            };
            Some(self.events.event(&queued.call(), &event))
        });
        Announced {
            sent: sent.collect(),
            failed: failed.collect(),
            settled,
        }
    }
}

/// The unit; how many were sent and how many failed. A message that somebody else
/// has settled since is left alone, and nothing is said of it here.
async fn write(tx: &Tx, announced: &Announced) -> Unit<(u64, u64)> {
    let sent = write_sent(tx, announced).await?;
    let settled = &announced.settled;
    let mut failed = Vec::new();
    for ((queued, settlement), event) in settled.unsent.iter().zip(&announced.failed) {
        let key = (queued.user, queued.id);
        if notifications::settle_unsent(tx, key, settlement, settled.at).await? {
            failed.extend(event.clone());
        }
    }
    for (key, until) in &settled.put_off {
        notifications::put_off(tx, *key, *until).await?;
    }
    Outbox::append(tx, &failed).await?;
    Ok((sent, failed.len() as u64))
}

async fn write_sent(tx: &Tx, announced: &Announced) -> Result<u64, DbErr> {
    let settled = &announced.settled;
    if settled.sent.is_empty() {
        return Ok(0);
    }
    let keys: Vec<_> = settled.sent.iter().map(|it| (it.user, it.id)).collect();
    let marked = notifications::mark_sent(tx, &keys, settled.due, settled.at).await?;
    if marked.len() == keys.len() {
        Outbox::append(tx, &announced.sent).await?;
    } else {
        let marked: HashSet<_> = marked.iter().collect();
        let ours = settled.sent.iter().zip(&announced.sent);
        let ours = ours.filter(|(queued, _)| marked.contains(&queued.id));
        let ours: Vec<_> = ours.map(|(_, event)| event.clone()).collect();
        Outbox::append(tx, &ours).await?;
    }
    Ok(marked.len() as u64)
}
