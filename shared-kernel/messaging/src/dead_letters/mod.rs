//! Events that a handler gave up on, and the later events of their keys that
//! wait behind them. A dead letter stands at the head of its parked key: while
//! it is there, events of the key that arrive for that handler queue up behind
//! it, in the database and in order.
//!
//! Redriving and discarding only write down what is wanted; the context's
//! running consumer does it, in the handler's own units of work, so that a
//! request survives a crash and cannot race with the events that arrive.

mod id;
pub(crate) mod rows;

use std::sync::{Arc, OnceLock};

use cleave_store::{Signal, Store, Unit, UnitError};
use cleave_vocabulary::Timestamp;
use serde::Serialize;

use id::Name;

/// Raised by a commit that asks for a redrive.
pub(crate) const REDRIVE: Signal = "redrive";

/// `context:handler:event_id`, opaque to clients.
pub type DeadLetterId = String;

/// An event that a handler gave up on.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    /// Names it in the API.
    pub id: DeadLetterId,
    /// The handler that gave up.
    pub handler: String,
    /// The type of the event.
    pub event_type: String,
    /// The event's id.
    pub event_id: String,
    /// The key that is parked behind it.
    pub subject: String,
    /// The last error.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// How many later events of the key wait behind it.
    pub waiting: u64,
    /// When the handler gave up.
    pub at: Timestamp,
}

/// Nothing can handle the letter again: its handler is no part of the program any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the handler {0} exists no more; discard what waits for it")]
pub struct HandlerGone(pub String);

/// The dead letters of one context.
#[derive(Clone)]
pub struct DeadLetters {
    store: Store,
    /// The handlers of the running consumer, once there is one.
    handlers: Arc<OnceLock<Vec<&'static str>>>,
}

impl DeadLetters {
    /// Over the context's store.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            handlers: Arc::default(),
        }
    }

    /// Newest event first, behind `before` where given. `before` may come from
    /// another context: the order is one over all of them, so that their lists
    /// can be merged. What is no id has nothing behind it.
    pub async fn list(&self, before: Option<DeadLetterId>, limit: u64) -> Unit<Vec<DeadLetter>> {
        let context: Arc<str> = self.store.name().into();
        let from = match before {
            None => rows::Bound::newest(),
            Some(before) => match Name::parse(&before) {
                Some(name) => name.bound_in(&context),
                None => return Ok(Vec::new()),
            },
        };
        let list = async move |tx: &_| Ok(rows::list(tx, &context, &from, limit).await?);
        self.store.read(list).await
    }

    /// Has it handled again, and after it what waits behind it, in order. False
    /// where there is no such letter.
    pub async fn redrive(&self, id: &str) -> Unit<bool, HandlerGone> {
        let Some(name) = self.name(id) else {
            return Ok(false);
        };
        let gone = self.gone(&name);
        let request = async move |tx: &cleave_store::Tx| {
            let Some(letter) = rows::find(tx, &name.handler, name.event).await? else {
                return Ok(false);
            };
            if gone {
                return Err(UnitError::Refused(HandlerGone(name.handler.clone())));
            }
            rows::request(tx, &letter).await?;
            tx.signal(REDRIVE);
            Ok(true)
        };
        self.store.write(request).await
    }

    /// Gives it up for good; what waits behind it goes on. False where there is no such letter.
    pub async fn discard(&self, id: &str) -> Unit<bool> {
        let Some(name) = self.name(id) else {
            return Ok(false);
        };
        let discard = async move |tx: &cleave_store::Tx| {
            let Some(letter) = rows::find(tx, &name.handler, name.event).await? else {
                return Ok(false);
            };
            if rows::advance(tx, &letter).await? {
                tx.signal(REDRIVE);
            }
            Ok(true)
        };
        self.store.write(discard).await
    }

    /// Tells which handlers there are; later tellings change nothing.
    pub(crate) fn serve(&self, handlers: Vec<&'static str>) {
        // A context has one consumer for as long as it runs.
        let _ = self.handlers.set(handlers);
    }

    fn gone(&self, name: &Name) -> bool {
        let known = self.handlers.get();
        known.is_some_and(|known| !known.contains(&name.handler.as_str()))
    }

    /// The parts of an id that is this context's.
    fn name(&self, id: &str) -> Option<Name> {
        Name::parse(id).filter(|name| name.context == self.store.name())
    }
}
