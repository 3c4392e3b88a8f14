//! What a store's threads share with its handles, whichever database carries
//! it: counts, health, and who wants to hear of which commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::clock::Offset;
use crate::listeners::Listeners;
use crate::tx::Effects;
use crate::{ReadStats, Signal, StoreError, StoreHealth, WriteStats};

/// Why a store takes no units whose process lost its place at the schema.
const DISPLACED: &str = "another process has taken its schema meanwhile; stop one of them";

/// The shared part of one store.
#[derive(Default)]
pub(crate) struct Hub {
    pub(crate) name: String,
    pub(crate) units: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) statements: Arc<AtomicU64>,
    pub(crate) unanswered: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) read_statements: Arc<AtomicU64>,
    pub(crate) closed: AtomicBool,
    /// Whether other processes may work on the same database.
    pub(crate) shared: AtomicBool,
    /// What carries events between those that do; none where nobody has said.
    pub(crate) bus: Mutex<Option<String>>,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) offset: Offset,
    trouble: Mutex<Option<String>>,
    /// Whether another process has taken the place of this one.
    displaced: AtomicBool,
    /// Why the server takes no writes. Apart from `trouble`, which a server that
    /// still answers queries would clear.
    refused: Mutex<Option<String>>,
    unfit: Mutex<Option<Unfit>>,
}

/// A schema that is not as the program needs it: a table or a right is missing.
struct Unfit {
    reason: String,
    /// Whether a statement has met it since it was last asked for.
    met: bool,
}

impl Hub {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            ..Self::default()
        })
    }

    /// What the committed units asked for. An action that panics takes no other with it.
    pub(crate) fn announce(&self, effects: impl IntoIterator<Item = Effects>) {
        let mut signals: Vec<Signal> = Vec::new();
        for effect in effects {
            for signal in effect.signals {
                if !signals.contains(&signal) {
                    signals.push(signal);
                }
            }
            for (signal, news) in effect.news {
                self.listeners.tell(signal, news);
            }
            for action in effect.actions {
                if catch_unwind(AssertUnwindSafe(action)).is_err() {
                    tracing::error!(store = self.name, "an action after a commit panicked");
                }
            }
        }
        self.listeners.raise(&signals);
    }

    /// Notes how the store is: its trouble, or none.
    pub(crate) fn report(&self, trouble: Option<String>) {
        let mut known = self.trouble.lock();
        match (&trouble, &*known) {
            (Some(error), None) => tracing::error!(store = self.name, error, "the store fails"),
            (None, Some(_)) => tracing::info!(store = self.name, "the store works again"),
            _ => {}
        }
        *known = trouble;
    }

    /// Notes why the server takes no writes, or that it takes them.
    pub(crate) fn refused(&self, reason: Option<String>) {
        let mut known = self.refused.lock();
        match (&reason, &*known) {
            (Some(error), None) => tracing::error!(store = self.name, error, "no writes"),
            (None, Some(_)) => tracing::info!(store = self.name, "the store takes writes again"),
            _ => {}
        }
        *known = reason;
    }

    /// Notes that a statement found the schema other than it must be.
    pub(crate) fn unfit(&self, reason: String) {
        let mut known = self.unfit.lock();
        if known.is_none() {
            tracing::error!(store = self.name, reason, "the schema does not fit");
        }
        *known = Some(Unfit { reason, met: true });
    }

    /// Forgets a misfit that no statement has met since this was called before:
    /// other statements say nothing about it.
    pub(crate) fn forget_unfit(&self) {
        let mut known = self.unfit.lock();
        let forgotten = known.take_if(|unfit| !std::mem::take(&mut unfit.met));
        if forgotten.is_some() {
            tracing::info!(store = self.name, "no statement misses anything any more");
        }
    }

    /// Notes whether another process has the database that was to be this one's.
    pub(crate) fn displaced(&self, now: bool) {
        let before = self.displaced.swap(now, Ordering::Relaxed);
        if now && !before {
            tracing::error!(store = self.name, "{DISPLACED}");
        } else if before && !now {
            tracing::info!(store = self.name, "the place at the schema is ours again");
        }
    }

    /// Refuses units while another process has the database.
    pub(crate) fn in_place(&self) -> Result<(), StoreError> {
        if !self.displaced.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(StoreError::Unreachable {
            store: self.name.clone(),
            reason: DISPLACED.to_owned(),
        })
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    pub(crate) fn health(&self) -> StoreHealth {
        if self.displaced.load(Ordering::Relaxed) {
            return StoreHealth::Failing(DISPLACED.to_owned());
        }
        let unfit = || Some(self.unfit.lock().as_ref()?.reason.clone());
        let trouble = self.trouble.lock().clone();
        let trouble = trouble.or_else(|| self.refused.lock().clone());
        trouble
            .or_else(unfit)
            .map_or(StoreHealth::Ready, StoreHealth::Failing)
    }

    pub(crate) fn busy(&self, queued: usize) -> StoreError {
        StoreError::Busy {
            store: self.name.clone(),
            queued,
        }
    }

    pub(crate) fn gone(&self) -> StoreError {
        StoreError::Closed {
            store: self.name.clone(),
        }
    }

    pub(crate) fn write_stats(&self) -> WriteStats {
        WriteStats {
            units: count(&self.units),
            commits: count(&self.commits),
            statements: count(&self.statements),
            unanswered: count(&self.unanswered),
        }
    }

    pub(crate) fn read_stats(&self) -> ReadStats {
        ReadStats {
            reads: count(&self.reads),
            statements: count(&self.read_statements),
        }
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
