//! What one handler's units of work are made of: taking over an event (or many
//! at once), and burying what cannot be handled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cleave_store::{Store, StoreError, StoreHealth, Tx, Unit, UnitError};
use cleave_vocabulary::{Clock, Envelope};

use super::{ConsumerOptions, HandleError, Handler};
use crate::dead_letters::rows;
use crate::inbox;

/// One handler with all it needs.
pub(super) struct Desk {
    pub(super) context: &'static str,
    pub(super) handler: Handler,
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: ConsumerOptions,
    /// Whether a key of this handler may be parked. Spares every unit a query
    /// while there never was a dead letter; true for good once there was one, and
    /// where another process may bury one at any time.
    may_be_parked: AtomicBool,
    meters: Meters,
}

struct Meters {
    handled: metrics::Counter,
    failed: metrics::Counter,
    buried: metrics::Counter,
}

/// Why many events together were not taken over.
#[derive(Debug)]
pub(super) enum Together {
    /// One of them needs care: each must be looked at by itself.
    Apart,
    /// The store is in trouble, whatever the events.
    Store,
}

/// What came of an event that could not be taken over.
#[derive(Debug)]
pub(super) enum Setback {
    /// It never can be.
    Poison(String),
    /// The attempt failed.
    Failed(String),
    /// The store is in trouble; this was no attempt.
    Store,
}

impl Desk {
    pub(super) fn new(
        context: &'static str,
        handler: Handler,
        store: Store,
        clock: Arc<dyn Clock>,
        options: ConsumerOptions,
    ) -> Self {
        let labels = [("context", context), ("handler", handler.name)];
        Self {
            context,
            handler,
            store,
            clock,
            options,
            may_be_parked: AtomicBool::new(true),
            meters: Meters {
                handled: metrics::counter!("cleave_events_handled_total", &labels),
                failed: metrics::counter!("cleave_event_attempts_failed_total", &labels),
                buried: metrics::counter!("cleave_dead_letters_total", &labels),
            },
        }
    }

    /// Looks whether there are letters of this handler.
    pub(super) async fn look_for_parked(&self) {
        if self.store.is_shared() {
            return;
        }
        let letters = async |tx: &Tx| -> Unit<_> { Ok(rows::handlers(tx).await?) };
        if let Ok(letters) = self.store.read(letters).await {
            let any = letters.iter().any(|(name, _)| name == self.handler.name);
            self.may_be_parked.store(any, Ordering::Release);
        }
    }

    /// Takes over events of different keys in one unit. None of them is taken
    /// over where one is not.
    pub(super) async fn take_together(
        self: &Arc<Self>,
        events: Vec<Arc<Envelope>>,
    ) -> Result<(), Together> {
        let (desk, at, count) = (self.clone(), self.clock.now(), events.len());
        let unit = async move |tx: &Tx| -> Unit<(), ()> {
            let name = desk.handler.name;
            let ids: Vec<_> = events.iter().map(|event| event.id).collect();
            if inbox::record(tx, name, &ids, at).await? < events.len() {
                return Err(UnitError::Refused(()));
            }
            if desk.may_be_parked() && rows::any_parked(tx, name, &events).await? {
                return Err(UnitError::Refused(()));
            }
            let handled = desk.handler.apply.handle_all(tx, &events).await;
            handled.map_err(|error| refuse(error).map_refusal(drop))
        };
        match self.store.write(unit).await {
            Ok(()) => {
                self.meters.handled.increment(count as u64);
                Ok(())
            }
            Err(UnitError::Failed(error)) if self.is_trouble(&error) => Err(Together::Store),
            Err(_) => Err(Together::Apart),
        }
    }

    /// Takes over one event: handles it, or parks it where its key is parked.
    pub(super) async fn take(self: &Arc<Self>, event: Arc<Envelope>) -> Result<(), Setback> {
        let (desk, at) = (self.clone(), self.clock.now());
        let unit = async move |tx: &Tx| -> Unit<(), HandleError> {
            let name = desk.handler.name;
            if inbox::record(tx, name, &[event.id], at).await? == 0 {
                return Ok(());
            }
            if desk.may_be_parked() && rows::park(tx, name, &event).await? {
                return Ok(());
            }
            let handled = desk.handler.apply.handle(tx, &event).await;
            handled.map_err(refuse)?;
            Ok(())
        };
        self.outcome(self.store.write(unit).await)
    }

    /// Counts the outcome of handling one event, and says what a failure means.
    pub(super) fn outcome<T>(&self, outcome: Unit<T, HandleError>) -> Result<T, Setback> {
        let setback = match outcome {
            Ok(value) => {
                self.meters.handled.increment(1);
                return Ok(value);
            }
            Err(UnitError::Refused(HandleError::Poison(reason))) => Setback::Poison(reason),
            Err(UnitError::Refused(HandleError::Later(reason))) => Setback::Failed(reason),
            Err(UnitError::Failed(error) | UnitError::Refused(HandleError::Store(error))) => {
                if self.is_trouble(&error) {
                    return Err(Setback::Store);
                }
                Setback::Failed(error.to_string())
            }
        };
        self.meters.failed.increment(1);
        Err(setback)
    }

    /// Gives an event up: a dead letter, and its key parked, in one unit.
    pub(super) async fn bury(
        self: &Arc<Self>,
        event: Arc<Envelope>,
        error: String,
        attempts: u32,
    ) -> Result<(), StoreError> {
        self.may_be_parked.store(true, Ordering::Release);
        let (desk, at) = (self.clone(), self.clock.now());
        let (id, kind) = (event.id, event.kind.clone());
        let unit = async move |tx: &Tx| -> Unit<()> {
            let name = desk.handler.name;
            let fresh = inbox::record(tx, name, &[event.id], at).await? > 0;
            if fresh && !rows::park(tx, name, &event).await? {
                rows::bury(tx, name, &event, &error, attempts, at).await?;
            }
            Ok(())
        };
        let buried = self.store.write(unit).await;
        buried.map_err(UnitError::into_store_error)?;
        self.meters.buried.increment(1);
        // The reason may hold what the event holds; the letter keeps it, the log does not.
        let (context, handler) = (self.context, self.handler.name);
        tracing::error!(
            context, handler, event = %id, kind = %kind, attempts,
            "gave up on an event; its key is parked"
        );
        Ok(())
    }

    fn may_be_parked(&self) -> bool {
        self.may_be_parked.load(Ordering::Acquire)
    }

    /// Whether the store is to blame, and not what was asked of it: then to try
    /// again costs patience alone, and no attempt.
    fn is_trouble(&self, error: &StoreError) -> bool {
        let database = matches!(error, StoreError::Database(_));
        error.is_passing() || database && self.store.health() != StoreHealth::Ready
    }
}

/// A failed attempt as the end of its unit. The store must learn of its own
/// failures: it knows more of them than the statement that failed.
pub(super) fn refuse(error: HandleError) -> UnitError<HandleError> {
    match error {
        HandleError::Store(error) => UnitError::Failed(error),
        other => UnitError::Refused(other),
    }
}
