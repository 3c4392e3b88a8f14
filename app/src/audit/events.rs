//! Every event was handled exactly once in effect by each handler. That none
//! was handled twice is the inbox's primary key; that none was left out is
//! counted here: each event that its relay takes for settled must be in the
//! inbox of each handler of its type.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Violation};
use cleave_messaging::{Inbox, Outbox};
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
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long an inbox remembers; older events can't be looked for.
    pub memory: Duration,
}

const PAGE: u64 = 500;
/// Violations beyond the first hundred say nothing new.
const SHOWN: usize = 100;

#[async_trait]
impl Auditor for EventsAuditor {
    async fn audit(&self) -> Audited {
        let mut checks: Vec<Count> = self.routes.iter().map(|_| Count::default()).collect();
        for outbox in &self.outboxes {
            self.compare(outbox, &mut checks).await?;
        }
        let named = self.routes.iter().zip(checks);
        Ok(named
            .map(|(route, count)| AuditCheck {
                name: format!(
                    "every_event_is_handled_once_by_{}",
                    route.consumer.replace('.', "_")
                ),
                checked: count.checked,
                violations: count.violations,
            })
            .collect())
    }
}

#[derive(Default)]
struct Count {
    checked: u64,
    violations: Vec<Violation>,
}

impl EventsAuditor {
    async fn compare(&self, outbox: &Store, counts: &mut [Count]) -> Result<(), PortError> {
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
            for (route, count) in self.routes.iter().zip(counts.iter_mut()) {
                let ids: Vec<EventId> = page
                    .iter()
                    .filter(|(seq, event)| {
                        *seq <= settled && event.time > since && route.types.contains(&&*event.kind)
                    })
                    .map(|(_, event)| event.id)
                    .collect();
                route.count(ids, count).await?;
            }
        }
    }
}

impl Route {
    async fn count(&self, ids: Vec<EventId>, count: &mut Count) -> Result<(), PortError> {
        if ids.is_empty() {
            return Ok(());
        }
        count.checked += ids.len() as u64;
        let (handler, ids) = (self.handler, Arc::new(ids));
        let missing = self
            .store
            .read(async move |tx| Inbox::missing(tx, handler, &ids).await)
            .await
            .map_err(failed)?;
        let room = SHOWN.saturating_sub(count.violations.len());
        count
            .violations
            .extend(missing.iter().take(room).map(|id| Violation {
                subject: id.to_string(),
                detail: format!("settled, and never handled by {}", self.consumer),
            }));
        Ok(())
    }
}

fn failed(error: UnitError<std::convert::Infallible>) -> PortError {
    let error: StoreError = error.into_store_error();
    Failure::clean(FailureKind::Unavailable, error.to_string()).into()
}
