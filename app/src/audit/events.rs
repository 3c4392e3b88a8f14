//! Every event was handled exactly once in effect by each handler. That none
//! was handled twice is the inbox's primary key; that none was left out is
//! counted here: each event that its relay takes for settled must be in the
//! inbox of each handler of its type.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Seen};
use cleave_messaging::{EventBus, Inbox, Outbox, Subscription};
use cleave_store::{Store, StoreError, UnitError};
use cleave_vocabulary::{Clock, EventId, Failure, FailureKind, PortError};

/// Who handles which events, and where its inbox is.
#[derive(Clone)]
pub struct Route {
    /// `order.read_model`, for people.
    pub consumer: String,
    /// The handler's name, as its inbox has it.
    pub handler: &'static str,
    /// The types that it handles.
    pub types: &'static [&'static str],
    /// Where its inbox is.
    pub store: Store,
}

/// Compares every outbox with the inboxes of those who handle its events.
pub struct EventsAuditor {
    /// The outboxes: one for each context.
    pub outboxes: Vec<Store>,
    /// The handlers.
    pub routes: Vec<Route>,
    /// What carries them. What waits there for a handler is on its way, not lost.
    pub bus: Arc<dyn EventBus>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long an inbox remembers; older events can't be looked for.
    pub memory: Duration,
}

const PAGE: u64 = 500;
/// How often a handler is given time for what waits for it on the bus. What then
/// waits still is no violation, and neither is what may be among it.
const LOOKS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

#[async_trait]
impl Auditor for EventsAuditor {
    async fn count(&self, seen: &Seen) -> Audited {
        let mut checks: Vec<AuditCheck> = self.routes.iter().map(Route::check).collect();
        for outbox in &self.outboxes {
            self.compare(outbox, &mut checks, seen).await?;
        }
        Ok(checks)
    }
}

impl EventsAuditor {
    async fn compare(
        &self,
        outbox: &Store,
        checks: &mut [AuditCheck],
        seen: &Seen,
    ) -> Result<(), PortError> {
        let settled = outbox
            .read(async |tx| Outbox::settled(tx).await)
            .await
            .map_err(failed)?;
        let since = self.clock.now().minus(self.memory);
        let mut after = 0;
        loop {
            let page = outbox
                .read(async move |tx| Outbox::history(tx, after, PAGE).await)
                .await
                .map_err(failed)?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = *last;
            seen.add(page.len());
            for (route, check) in self.routes.iter().zip(checks.iter_mut()) {
                let ids: Vec<EventId> = page
                    .iter()
                    .filter(|(seq, event)| {
                        *seq <= settled && event.time > since && route.types.contains(&&*event.kind)
                    })
                    .map(|(_, event)| event.id)
                    .collect();
                self.count(route, ids, check).await?;
            }
        }
    }

    async fn count(
        &self,
        route: &Route,
        ids: Vec<EventId>,
        check: &mut AuditCheck,
    ) -> Result<(), PortError> {
        if ids.is_empty() {
            return Ok(());
        }
        check.checked += ids.len() as u64;
        let mut missing = route.missing(ids).await?;
        for look in 0.. {
            if missing.is_empty() {
                return Ok(());
            }
            let waiting = self.bus.backlog(&route.subscription()).await;
            let waiting = waiting.map_err(|error| {
                PortError::from(Failure::clean(FailureKind::Unavailable, error.to_string()))
            })?;
            // Asked again behind the bus: what it no longer had has been handled by now.
            missing = route.missing(missing).await?;
            if waiting == 0 {
                break;
            }
            if look == LOOKS {
                return Ok(());
            }
            // Real time: it is about the bus, not about the shop's day.
            tokio::time::sleep(PAUSE).await;
        }
        for event in missing {
            let detail = format!("settled, and never handled by {}", route.consumer);
            check.violated(&event, detail);
        }
        Ok(())
    }
}

impl Route {
    fn check(&self) -> AuditCheck {
        let consumer = self.consumer.replace('.', "_");
        AuditCheck::named(format!("every_event_is_handled_once_by_{consumer}"))
    }

    fn subscription(&self) -> Subscription {
        Subscription {
            consumer: self.consumer.clone(),
            types: self.types.iter().map(ToString::to_string).collect(),
        }
    }

    async fn missing(&self, ids: Vec<EventId>) -> Result<Vec<EventId>, PortError> {
        let (handler, ids) = (self.handler, Arc::new(ids));
        let missing = self
            .store
            .read(async move |tx| Inbox::missing(tx, handler, &ids).await);
        missing.await.map_err(failed)
    }
}

fn failed(error: UnitError<std::convert::Infallible>) -> PortError {
    let error: StoreError = error.into_store_error();
    Failure::clean(FailureKind::Unavailable, error.to_string()).into()
}
