//! Every event was handled exactly once in effect by each handler. That none
//! was handled twice is the inbox's primary key; that none was left out is
//! counted here: each event that its relay takes for settled must be in the
//! inbox of each handler of its type, in whichever process that is.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Seen};
use cleave_messaging::{EventBus, Subscription};
use cleave_vocabulary::{CallContext, Clock, EventId, Failure, FailureKind, IdSource, PortError};

use super::port::{AuditPort, EventTold, FindMissing, HandlerOf, OfContext, OutboxBehind};

/// A context, and the way to its books.
#[derive(Clone)]
pub struct Watched {
    /// `order`.
    pub context: &'static str,
    /// Its process.
    pub port: Arc<dyn AuditPort>,
}

/// Compares every outbox with the inboxes of those who handle its events.
pub struct EventsAuditor {
    /// Every context.
    pub contexts: Vec<Watched>,
    /// What carries them. What waits there for a handler is on its way, not lost.
    pub bus: Arc<dyn EventBus>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives the calls their ids.
    pub ids: Arc<dyn IdSource>,
    /// How long an inbox remembers; older events can't be looked for.
    pub memory: Duration,
}

/// How often a handler is given time for what waits for it on the bus. What then
/// waits still is no violation, and neither is what may be among it.
const LOOKS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// A handler, and where its inbox is.
struct Route {
    at: Watched,
    handler: HandlerOf,
    check: AuditCheck,
}

#[async_trait]
impl Auditor for EventsAuditor {
    async fn count(&self, seen: &Seen) -> Audited {
        let call = CallContext::root(&*self.ids);
        let mut routes = Vec::new();
        for at in &self.contexts {
            let context = at.context.to_owned();
            let told = at.port.audit_handlers(&call, OfContext { context });
            let handlers = told.await?.handlers.into_iter();
            routes.extend(handlers.map(|handler| Route::of(at, handler)));
        }
        for outbox in &self.contexts {
            self.compare(&call, outbox, &mut routes, seen).await?;
        }
        Ok(routes.into_iter().map(|route| route.check).collect())
    }
}

impl EventsAuditor {
    async fn compare(
        &self,
        call: &CallContext,
        outbox: &Watched,
        routes: &mut [Route],
        seen: &Seen,
    ) -> Result<(), PortError> {
        let since = self.clock.now().minus(self.memory);
        let (mut after, mut settled) = (0, None);
        loop {
            let context = outbox.context.to_owned();
            let asked = OutboxBehind { context, after };
            let page = outbox.port.audit_outbox(call, asked).await?;
            // What came later than the beginning is the next audit's.
            let settled = *settled.get_or_insert(page.settled);
            let Some(last) = page.events.last() else {
                return Ok(());
            };
            after = last.seq;
            seen.add(page.events.len());
            let due = |event: &&EventTold| event.seq <= settled && event.at > since;
            let due: Vec<&EventTold> = page.events.iter().filter(due).collect();
            for route in &mut *routes {
                route.count(call, &*self.bus, &due).await?;
            }
        }
    }
}

impl Route {
    fn of(at: &Watched, handler: HandlerOf) -> Self {
        let name = format!(
            "every_event_is_handled_once_by_{}_{}",
            at.context, handler.name
        );
        Self {
            at: at.clone(),
            check: AuditCheck::named(name.replace('.', "_")),
            handler,
        }
    }

    /// What carries the handler's events.
    fn subscription(&self) -> Subscription {
        Subscription {
            consumer: format!("{}.{}", self.at.context, self.handler.name),
            types: self.handler.types.clone(),
        }
    }

    async fn count(
        &mut self,
        call: &CallContext,
        bus: &dyn EventBus,
        due: &[&EventTold],
    ) -> Result<(), PortError> {
        let handled = due
            .iter()
            .filter(|event| self.handler.types.contains(&event.kind));
        let events: Vec<EventId> = handled.map(|event| event.id).collect();
        if events.is_empty() {
            return Ok(());
        }
        self.check.checked += events.len() as u64;
        let Some(lost) = self.lost(call, bus, events).await? else {
            return Ok(());
        };
        for event in lost {
            let (context, handler) = (self.at.context, &self.handler.name);
            let detail = format!("settled, and never handled by {context}.{handler}");
            self.check.violated(&event, detail);
        }
        Ok(())
    }

    /// Those that the handler has not met and that do not wait for it on the bus
    /// either; none where some wait there still, and nobody knows which.
    async fn lost(
        &self,
        call: &CallContext,
        bus: &dyn EventBus,
        events: Vec<EventId>,
    ) -> Result<Option<Vec<EventId>>, PortError> {
        let mut missing = self.missing(call, events).await?;
        for _ in 0..LOOKS {
            if missing.is_empty() {
                return Ok(None);
            }
            let waiting = bus.backlog(&self.subscription()).await.map_err(|error| {
                PortError::from(Failure::clean(FailureKind::Unavailable, error.to_string()))
            })?;
            // Asked again behind the bus: what it no longer had has been handled by now.
            missing = self.missing(call, missing).await?;
            if waiting == 0 {
                return Ok(Some(missing));
            }
            // Real time: it is about the bus, not about the shop's day.
            tokio::time::sleep(PAUSE).await;
        }
        Ok(None)
    }

    async fn missing(
        &self,
        call: &CallContext,
        events: Vec<EventId>,
    ) -> Result<Vec<EventId>, PortError> {
        let asked = FindMissing {
            context: self.at.context.to_owned(),
            handler: self.handler.name.clone(),
            events,
        };
        Ok(self.at.port.audit_missing(call, asked).await?.events)
    }
}
