//! The bus as a port: what every adapter promises, in-process or over a broker.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_vocabulary::Envelope;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

/// Who wants which events. One consumer name is one queue: each event reaches
/// it once (and again where it was not acknowledged).
#[derive(Debug, Clone)]
pub struct Subscription {
    /// `order.read_model`: context and handler.
    pub consumer: String,
    /// The types of events wanted: `order.paid`.
    pub types: Vec<String>,
}

/// What a handler of a context wants, known without building the context.
#[derive(Debug, Clone, Copy)]
pub struct Interest {
    /// The handler: `read_model`.
    pub handler: &'static str,
    /// The types of events wanted.
    pub types: &'static [&'static str],
}

impl Interest {
    /// As the handler of this context subscribes.
    pub fn of(&self, context: &str) -> Subscription {
        Subscription {
            consumer: format!("{context}.{}", self.handler),
            types: self.types.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A consumer that events are kept for, and that no handler here subscribes as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBehind {
    /// As the bus calls it.
    pub consumer: String,
    /// Events that wait for it.
    pub waiting: u64,
    /// What makes the bus forget it, as a command.
    pub remedy: String,
}

/// A type's first word: `order`, of `order.paid`. A family has one publisher.
pub fn family(kind: &str) -> &str {
    kind.split_once('.').map_or(kind, |(family, _)| family)
}

/// Resolves once the bus has taken over for good: the publisher may forget the
/// event. In-process that is when every subscriber has settled it. Where it
/// fails, this event and those published after it may not have arrived: publish
/// again from here on.
pub type Receipt = BoxFuture<'static, Result<(), BusError>>;

/// Carries events from relays to consumers.
#[async_trait]
pub trait EventBus: Send + Sync + 'static {
    /// Hands over one event. Waits while queues are full; events of one subject
    /// that are published one after the other arrive in that order. To publish
    /// to nobody is normal.
    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Receipt, BusError>;

    /// Makes consumers known that will subscribe sometime, perhaps in another
    /// process: from now on events wait for them, also where what keeps the events
    /// has to be made anew. Where a bus ends with its process there is nothing to be
    /// known.
    async fn announce(&self, _subscriptions: &[Subscription]) -> Result<(), BusError> {
        Ok(())
    }

    /// Tells what keeps the events of a family from whatever may take its place, once
    /// it is there with all its consumers: with another one, what the one before had
    /// a receipt for may be gone. None where a receipt means handled.
    async fn incarnation(&self, _family: &str) -> Result<Option<String>, BusError> {
        Ok(None)
    }

    /// Tells this bus from every other that processes may share; none where it ends
    /// with its process.
    async fn identity(&self) -> Result<Option<String>, BusError> {
        Ok(None)
    }

    /// Takes a context's events for the database of this identity, for good. Refuses
    /// with [`BusError::Owned`] where they are another one's: two that share a bus
    /// would each settle what only the other knows.
    async fn claim(&self, _context: &str, _identity: &str) -> Result<(), BusError> {
        Ok(())
    }

    /// The events for one consumer, from now on and from where it stood.
    ///
    /// An event is handed over only when the one before it of its subject has
    /// been settled for good: whoever works on several deliveries at once works
    /// on different subjects, and one that comes back later is not overtaken.
    /// The deliveries that a consumer has not settled are bounded; past the bound
    /// it is handed no more.
    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<BoxStream<'static, Delivery>, BusError>;

    /// Takes no more events and ends every stream.
    async fn close(&self);

    /// How many events that publishers have a receipt for wait for this consumer
    /// still. None where a receipt means handled.
    async fn backlog(&self, _subscription: &Subscription) -> Result<u64, BusError> {
        Ok(0)
    }

    /// For which consumers, beside these, events are kept that nobody may ever
    /// settle. None where a bus ends with its process.
    async fn left_behind(&self, _known: &[Subscription]) -> Result<Vec<LeftBehind>, BusError> {
        Ok(Vec::new())
    }

    /// Whether it carries events at the moment, or why it does not.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// The adapter's name, for people: `in_process`.
    fn kind(&self) -> &'static str;
}

/// One event, handed to one consumer, to be settled exactly one way. Dropped
/// unsettled, it is delivered again.
pub struct Delivery {
    /// The event.
    pub envelope: Arc<Envelope>,
    /// 1 for the first delivery.
    pub attempt: u32,
    settle: Option<Box<dyn FnOnce(Settle) + Send>>,
}

/// How a delivery ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// Handled (or durably parked): never again.
    Ack,
    /// Not now: again after this long.
    Later(Duration),
    /// Never: the consumer can make nothing of it and has recorded that.
    GiveUp,
}

impl Delivery {
    /// A delivery that reports its end to the adapter.
    pub fn new(
        envelope: Arc<Envelope>,
        attempt: u32,
        settle: impl FnOnce(Settle) + Send + 'static,
    ) -> Self {
        Self {
            envelope,
            attempt,
            settle: Some(Box::new(settle)),
        }
    }

    /// Ends it.
    pub fn settle(mut self, how: Settle) {
        if let Some(settle) = self.settle.take() {
            settle(how);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(settle) = self.settle.take() {
            settle(Settle::Later(Duration::ZERO));
        }
    }
}

/// The bus could not take or give an event.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BusError {
    /// It was closed.
    #[error("the bus is closed")]
    Closed,
    /// Its carrier failed; try again.
    #[error("the bus failed: {0}")]
    Failed(String),
    /// They are another database's; what a person can do to change that.
    #[error("the events are those of another database; `{0}` lets another one have them")]
    Owned(String),
    /// Two consumers of one name that want different events.
    #[error("the consumer {0} is subscribed already")]
    Taken(String),
}
