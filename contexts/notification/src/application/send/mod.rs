//! Sends what is queued, in batches: takes what is due, hands it to the
//! transport, and settles the whole batch in one unit of work.
//!
//! A crash between the transport's answer and the settling leaves the batch
//! queued. It is handed over again under the same keys, and the transport does
//! not send twice what it knows. One sender works a store: over a database that
//! processes share, the one that holds the lease `sender`. Whoever lost it settles
//! nothing more; what it has handed over by then goes out under the same keys.

mod settle;

use std::sync::Arc;
use std::time::Duration;

use cleave_lease::{Lease, Term};
use cleave_store::{Store, StoreError, Unit, UnitError};
use cleave_vocabulary::{CallContext, Clock, EventSource, IdSource, PortError, Timestamp};
use tokio_util::sync::CancellationToken;

use super::notify::QUEUED;
use crate::SenderSettings;
use crate::domain::{Outcome, Patience};
use crate::persistence::notifications::{self, Due};
use crate::transport::{Delivery, GuardedTransport, Mail};

use settle::Settled;

/// The wait before the store is asked again when it was in trouble.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Sends what is queued.
pub(crate) struct Sender {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) events: EventSource,
    pub(crate) transport: GuardedTransport,
    pub(crate) settings: SenderSettings,
}

/// What there is to do after a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// More, at once.
    Round,
    /// Nothing until something is queued, or until that moment.
    Wait(Option<Timestamp>),
    /// Nothing until that moment, whatever is queued.
    Pause(Timestamp),
}

impl Sender {
    /// Sends until `stop`, and finishes the batch that it has begun.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let lease = Lease::new(store, clock, "sender", self.settings.lease);
        let sender = &self;
        lease
            .hold(&stop, |term, over| sender.serve(term, over))
            .await;
    }

    /// One term of it.
    async fn serve(&self, term: Term, stop: CancellationToken) {
        let queued = self.store.on(QUEUED);
        let mut away = 0;
        while !stop.is_cancelled() {
            let pause = match self.round(&term, &mut away).await {
                Next::Round => continue,
                Next::Wait(None) => stop.run_until_cancelled(queued.notified()).await,
                Next::Wait(Some(until)) => {
                    let either = async {
                        tokio::select! {
                            () = queued.notified() => {}
                            () = self.clock.sleep_until(until) => {}
                        }
                    };
                    stop.run_until_cancelled(either).await
                }
                Next::Pause(until) => {
                    let pause = self.clock.sleep_until(until);
                    stop.run_until_cancelled(pause).await
                }
            };
            if pause.is_some() && !self.settings.gather.is_zero() {
                let gather = self.clock.sleep(self.settings.gather);
                stop.run_until_cancelled(gather).await;
            }
        }
    }

    /// One batch. `away` counts the rounds in which the transport was not reached.
    async fn round(&self, term: &Term, away: &mut u32) -> Next {
        let batch = match self.take().await {
            Ok(batch) if batch.is_empty() => return self.idle().await,
            Ok(batch) => batch,
            Err(error) => return self.trouble(&error),
        };
        let (addressed, unknown): (Vec<Due>, Vec<Due>) =
            batch.into_iter().partition(|due| due.email.is_some());
        let outcomes = self.deliver(&addressed).await;
        let reached = outcomes.is_ok();
        let settled = self.judge(addressed, outcomes, &unknown);
        match self.settle(term, settled).await {
            Ok(true) => {}
            // The term is over, which its keeper is about to notice.
            Ok(false) => return Next::Pause(self.clock.now().plus(STORE_PAUSE)),
            Err(error) => return self.trouble(&error),
        }
        if reached {
            *away = 0;
            return Next::Round;
        }
        *away = away.saturating_add(1);
        Next::Pause(self.clock.now().plus(self.patience().wait(*away)))
    }

    fn patience(&self) -> Patience {
        self.settings.patience()
    }

    async fn take(&self) -> Result<Vec<Due>, StoreError> {
        let (now, limit) = (self.clock.now(), self.settings.batch);
        let due = self
            .store
            .read(async move |tx| -> Unit<_> { Ok(notifications::due(tx, now, limit).await?) });
        due.await.map_err(UnitError::into_store_error)
    }

    async fn idle(&self) -> Next {
        let next = self
            .store
            .read(async |tx| -> Unit<_> { Ok(notifications::next_due(tx).await?) });
        match next.await {
            Ok(next) => Next::Wait(next),
            Err(error) => self.trouble(&error.into_store_error()),
        }
    }

    fn trouble(&self, error: &StoreError) -> Next {
        if !matches!(error, StoreError::Closed { .. }) {
            tracing::warn!(%error, "messages wait: the store is in trouble");
        }
        Next::Pause(self.clock.now().plus(STORE_PAUSE))
    }

    /// One outcome for each message; none at all where the transport was not reached.
    async fn deliver(&self, messages: &[Due]) -> Result<Vec<Outcome>, PortError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let mails: Vec<Mail> = messages.iter().map(mail).collect();
        let call = CallContext::root(&*self.ids);
        let delivered = self.transport.deliver(&call, &mails).await;
        if let Err(error) = &delivered {
            let messages = mails.len();
            tracing::warn!(%error, messages, "messages wait: the mail transport can't be reached");
        }
        Ok(delivered?.into_iter().map(outcome).collect())
    }

    /// What becomes of each message. Where the transport was not reached, that is
    /// no attempt at any of them, and only those that are too old are touched.
    fn judge(
        &self,
        addressed: Vec<Due>,
        outcomes: Result<Vec<Outcome>, PortError>,
        unknown: &[Due],
    ) -> Settled {
        let (now, patience) = (self.clock.now(), self.patience());
        let mut settled = Settled::new(now);
        for due in unknown {
            settled.put_off(&due.queued, patience.look_again(due.queued.created_at, now));
        }
        match outcomes {
            Ok(outcomes) => {
                for (due, outcome) in addressed.into_iter().zip(outcomes) {
                    let (attempt, made) = (due.queued.attempts + 1, due.queued.created_at);
                    let settlement = patience.settle(outcome, attempt, made, now);
                    settled.add(due, settlement);
                }
            }
            Err(error) => {
                let old = |due: &Due| patience.is_over(due.queued.created_at, now);
                for due in addressed.into_iter().filter(old) {
                    settled.fail(due, error.to_string());
                }
            }
        }
        settled
    }
}

fn mail(due: &Due) -> Mail {
    Mail {
        key: due.queued.id,
        attempt: due.queued.attempts + 1,
        to: due.email.clone().unwrap_or_default(),
        subject: due.queued.message.subject.clone(),
        body: due.queued.message.body.clone(),
    }
}

fn outcome(delivery: Delivery) -> Outcome {
    match delivery {
        Delivery::Accepted => Outcome::Accepted,
        Delivery::Refused(reason) => Outcome::Refused(reason),
        Delivery::Deferred(reason) => Outcome::Deferred(reason),
    }
}
