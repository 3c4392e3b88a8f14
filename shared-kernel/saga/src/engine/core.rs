//! What the engine's parts share: the registered definitions, who is at work,
//! and who wants to hear of an end.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use cleave_store::Store;
use cleave_vocabulary::{Clock, SagaId, Timestamp};
use futures::future::BoxFuture;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use uuid::Uuid;

use super::settled::Settled;
use super::shift::{Left, Shift};
use crate::persistence::{Row, among};
use crate::plan::{Plan, StepMeta};
use crate::{Definition, EngineOptions, EngineParts};

/// A registered definition, whatever its data.
pub(crate) trait Registered: Any + Send + Sync {
    /// Its kind and version.
    fn name(&self) -> (&'static str, u32);
    /// Its steps.
    fn metas(&self) -> &[StepMeta];
    /// Drives a saga that was claimed.
    fn resume(
        self: Arc<Self>,
        core: Arc<Core>,
        shift: Arc<Shift>,
        row: Row,
    ) -> BoxFuture<'static, Left>;
}

/// The registered definitions, by kind and version.
type Plans = HashMap<(&'static str, u32), Arc<dyn Registered>>;

/// The shared part of an engine.
pub(crate) struct Core {
    pub(crate) store: Store,
    /// By which the sagas' times are counted, alike in every process that has them.
    pub(crate) clock: Arc<dyn Clock>,
    /// By which this process and those that it calls count deadlines.
    pub(crate) own_clock: Arc<dyn Clock>,
    pub(crate) options: EngineOptions,
    pub(crate) sole_owner: bool,
    /// This engine's name in claims.
    pub(crate) owner: Uuid,
    plans: RwLock<Plans>,
    /// Set while the engine runs.
    shift: RwLock<Option<Arc<Shift>>>,
    /// The sagas that a task of this process drives, or is about to.
    live: Mutex<HashMap<SagaId, u32>>,
    pub(crate) settled: Settled,
    /// Tells the poller that something may be due.
    pub(crate) wake: Notify,
    /// A saga may be held here that no task drives.
    adrift: AtomicBool,
    /// When the poller will look by itself, in microseconds.
    alarm: AtomicI64,
}

impl Core {
    pub(crate) fn new(parts: EngineParts) -> Self {
        Self {
            owner: parts.ids.uuid(),
            clock: parts.store.clock(parts.clock.clone()),
            own_clock: parts.clock,
            store: parts.store,
            options: parts.options,
            sole_owner: parts.sole_owner,
            plans: RwLock::default(),
            shift: RwLock::default(),
            live: Mutex::default(),
            settled: Settled::default(),
            wake: Notify::new(),
            adrift: AtomicBool::new(false),
            alarm: AtomicI64::new(i64::MAX),
        }
    }

    /// Adds a definition; false where its kind and version are taken.
    pub(crate) fn add(&self, plan: Arc<dyn Registered>) -> bool {
        let mut plans = self.plans.write();
        let free = !plans.contains_key(&plan.name());
        if free {
            plans.insert(plan.name(), plan);
        }
        free
    }

    /// The definition of this kind and version.
    pub(crate) fn plan(&self, kind: &str, version: u32) -> Option<Arc<dyn Registered>> {
        let plans = self.plans.read();
        // Looked for one by one: a key of borrowed text would have to live forever.
        let found = plans.iter().find(|(name, _)| **name == (kind, version));
        found.map(|(_, plan)| Arc::clone(plan))
    }

    /// The definition `D`, with its type.
    pub(crate) fn typed<D: Definition>(&self) -> Option<Arc<Plan<D::Data>>> {
        let plan: Arc<dyn Any + Send + Sync> =
            Arc::clone(self.plans.read().get(&(D::KIND, D::VERSION))?) as _;
        plan.downcast().ok()
    }

    /// The condition that a saga is of a registered kind and version.
    pub(crate) fn known(&self) -> String {
        let mut known: Vec<_> = self.plans.read().keys().copied().collect();
        known.sort_unstable();
        among(&known)
    }

    pub(crate) fn shift(&self) -> Option<Arc<Shift>> {
        self.shift.read().clone()
    }

    pub(crate) fn set_shift(&self, shift: Option<Arc<Shift>>) {
        *self.shift.write() = shift;
    }

    /// Counts a saga as driven here until the guard is dropped.
    pub(crate) fn enlist(self: &Arc<Self>, id: SagaId) -> Enlisted {
        *self.live.lock().entry(id).or_default() += 1;
        Enlisted {
            core: Arc::clone(self),
            id,
        }
    }

    /// Whether a task of this process has the saga.
    pub(crate) fn drives(&self, id: SagaId) -> bool {
        self.live.lock().contains_key(&id)
    }

    /// Notes that a saga may be held here that no task drives.
    pub(crate) fn set_adrift(&self) {
        self.adrift.store(true, Ordering::SeqCst);
    }

    /// Whether that was noted since this was asked.
    pub(crate) fn take_adrift(&self) -> bool {
        self.adrift.swap(false, Ordering::SeqCst)
    }

    /// A saga is due at `at`: wakes the poller if it would look too late.
    pub(crate) fn due(&self, at: Timestamp) {
        if at.as_micros() < self.alarm.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// The poller will look at `at`; without a time, it is about to look and
    /// wants to hear of everything meanwhile.
    pub(crate) fn set_alarm(&self, at: Option<Timestamp>) {
        let at = at.map_or(i64::MAX, Timestamp::as_micros);
        self.alarm.store(at, Ordering::SeqCst);
    }
}

/// A saga that is driven here.
pub(crate) struct Enlisted {
    core: Arc<Core>,
    id: SagaId,
}

impl Enlisted {
    /// Ends with the saga still claimed, for all that is known.
    pub(crate) fn leave_adrift(self) {
        let core = Arc::clone(&self.core);
        drop(self);
        core.set_adrift();
        core.wake.notify_one();
    }
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        // Whoever lost the saga may end after whoever took it over here.
        let mut live = self.core.live.lock();
        if let Some(tasks) = live.get_mut(&self.id) {
            *tasks -= 1;
            if *tasks == 0 {
                live.remove(&self.id);
            }
        }
    }
}
