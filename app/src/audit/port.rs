//! What an audit asks of the process that hosts a context: its own checks, its
//! outbox, its handlers and their inboxes. The same port here and over the
//! network, so that an audit of several processes counts what one would.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Auditor, Context};
use cleave_messaging::{Inbox, Outbox};
use cleave_store::{Store, UnitError};
use cleave_vocabulary::{CallContext, EventId, Failure, FailureKind, PortError, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for something of one context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OfContext {
    /// `order`.
    pub context: String,
}

/// A context's own invariants, counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Checks {
    /// Each of them.
    pub checks: Vec<AuditCheck>,
}

/// A context's handlers of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Handlers {
    /// Each of them.
    pub handlers: Vec<HandlerOf>,
}

/// One handler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HandlerOf {
    /// Its name, as its inbox has it.
    pub name: String,
    /// The types that it handles.
    pub types: Vec<String>,
}

/// Asks for a page of a context's outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutboxBehind {
    /// `order`.
    pub context: String,
    /// The sequence number that the page before ended at.
    pub after: i64,
}

/// A page of an outbox; empty behind its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutboxPage {
    /// Every event up to this number is settled.
    pub settled: i64,
    /// The events, in commit order.
    pub events: Vec<EventTold>,
}

/// An event, as far as an audit needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventTold {
    /// Its place in the outbox.
    pub seq: i64,
    /// Which.
    pub id: EventId,
    /// `order.paid`.
    pub kind: String,
    /// When it became true.
    pub at: Timestamp,
}

/// Asks which of these a handler has not handled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FindMissing {
    /// `order`.
    pub context: String,
    /// The handler.
    pub handler: String,
    /// The events.
    pub events: Vec<EventId>,
}

/// Those that it has not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    /// Which.
    pub events: Vec<EventId>,
}

cleave_seam::port! {
    /// The contexts of a process, as an audit looks at them.
    pub port AuditPort for "gateway" {
        /// Counts a context's own invariants.
        query audit_checks(OfContext) -> Checks;
        /// Which handlers it has.
        query audit_handlers(OfContext) -> Handlers;
        /// What happened in it.
        query audit_outbox(OutboxBehind) -> OutboxPage;
        /// What its handlers have not handled.
        query audit_missing(FindMissing) -> Missing;
    }
}

/// Events on a page.
const PAGE: u64 = 500;

/// The port over the contexts of this process.
pub struct LocalAudit(BTreeMap<&'static str, Books>);

struct Books {
    auditor: Arc<dyn Auditor>,
    store: Store,
    handlers: Vec<HandlerOf>,
}

impl LocalAudit {
    /// Over these contexts; to be made before their handlers begin to run.
    pub fn over(contexts: &[Context]) -> Self {
        let books = |context: &Context| {
            let handlers = context.handlers.iter().map(|handler| HandlerOf {
                name: handler.name.to_owned(),
                types: handler.types.iter().map(ToString::to_string).collect(),
            });
            let books = Books {
                auditor: context.auditor.clone(),
                store: context.store.clone(),
                handlers: handlers.collect(),
            };
            (context.name, books)
        };
        Self(contexts.iter().map(books).collect())
    }

    fn of(&self, context: &str) -> Result<&Books, PortError> {
        let message = || format!("{context} is not in this process");
        let found = self.0.get(context);
        found.ok_or_else(|| Failure::clean(FailureKind::Unsupported, message()).into())
    }
}

#[async_trait]
impl AuditPort for LocalAudit {
    async fn audit_checks(&self, _: &CallContext, of: OfContext) -> Result<Checks, PortError> {
        let checks = self.of(&of.context)?.auditor.audit().await?;
        Ok(Checks { checks })
    }

    async fn audit_handlers(&self, _: &CallContext, of: OfContext) -> Result<Handlers, PortError> {
        let handlers = self.of(&of.context)?.handlers.clone();
        Ok(Handlers { handlers })
    }

    async fn audit_outbox(
        &self,
        _: &CallContext,
        asked: OutboxBehind,
    ) -> Result<OutboxPage, PortError> {
        let (store, after) = (&self.of(&asked.context)?.store, asked.after);
        // The watermark first: what is settled then is in the history after it.
        let settled = store.read(async |tx| Outbox::settled(tx).await);
        let settled = settled.await.map_err(failed)?;
        let page = store.read(async move |tx| Outbox::history(tx, after, PAGE).await);
        let events = page.await.map_err(failed)?.into_iter();
        let told = events.map(|(seq, event)| EventTold {
            seq,
            id: event.id,
            kind: event.kind.into_owned(),
            at: event.time,
        });
        Ok(OutboxPage {
            settled,
            events: told.collect(),
        })
    }

    async fn audit_missing(
        &self,
        _: &CallContext,
        asked: FindMissing,
    ) -> Result<Missing, PortError> {
        let store = &self.of(&asked.context)?.store;
        let (handler, ids): (Arc<str>, _) = (asked.handler.into(), Arc::new(asked.events));
        let missing = store.read(async move |tx| Inbox::missing(tx, &handler, &ids).await);
        Ok(Missing {
            events: missing.await.map_err(failed)?,
        })
    }
}

fn failed(error: UnitError<std::convert::Infallible>) -> PortError {
    let error = error.into_store_error();
    Failure::clean(FailureKind::Unavailable, error.to_string()).into()
}
