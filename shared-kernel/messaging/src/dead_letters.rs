//! Events that a handler gave up on, and the later events of their keys that wait behind them.

use cleave_store::{Store, Unit};
use cleave_vocabulary::Timestamp;
use serde::Serialize;

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
    #[allow(dead_code)]
    store: Store,
    // the implementer decides: a way to wake the consumer
}

impl DeadLetters {
    /// Over the context's store.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Newest first, behind `before` where given.
    pub async fn list(&self, _before: Option<DeadLetterId>, _limit: u64) -> Unit<Vec<DeadLetter>> {
        todo!()
    }

    /// Handles it again, and after it what waits behind it, in order. False where there is no such letter.
    pub async fn redrive(&self, _id: &str) -> Unit<bool, HandlerGone> {
        todo!()
    }

    /// Gives it up for good; what waits behind it goes on. False where there is no such letter.
    pub async fn discard(&self, _id: &str) -> Unit<bool> {
        todo!()
    }
}
