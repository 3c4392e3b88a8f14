//! The tasks of one run of the engine. None outlives it: a run that ends, or is
//! dropped, takes its drivers with it.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::core::Enlisted;

/// Sagas begun here that may wait in memory, for each that is driven; more are
/// left to the poller.
const QUEUED_FOR_EACH: usize = 8;

/// How a driver leaves a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// At rest, or as it must be left.
    AtRest,
    /// Somebody else's, or claimed by this engine still: its last word is not known.
    Adrift,
}

/// One run of the engine.
pub(crate) struct Shift {
    handle: Handle,
    pub(crate) tracker: TaskTracker,
    /// Nothing new begins once this is cancelled.
    pub(crate) stop: CancellationToken,
    /// Everything ends, wherever it is, once this is cancelled.
    pub(crate) abandon: CancellationToken,
    /// Sagas that come from `begin`.
    begun: Arc<Semaphore>,
    /// Sagas that the poller claimed.
    pub(crate) claimed: Arc<Semaphore>,
    /// Sagas that are driven at this moment.
    active: Arc<Semaphore>,
}

impl Shift {
    pub(crate) fn new(concurrency: usize, stop: CancellationToken) -> Self {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS / QUEUED_FOR_EACH);
        Self {
            handle: Handle::current(),
            tracker: TaskTracker::new(),
            stop,
            abandon: CancellationToken::new(),
            begun: Arc::new(Semaphore::new(concurrency * QUEUED_FOR_EACH)),
            claimed: Arc::new(Semaphore::new(concurrency)),
            active: Arc::new(Semaphore::new(concurrency)),
        }
    }

    /// Room for a saga that begins; none where too many wait, or the run ends.
    pub(crate) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        if self.stop.is_cancelled() {
            return None;
        }
        Arc::clone(&self.begun).try_acquire_owned().ok()
    }

    /// Runs a driver as soon as fewer than the allowed number run, until it ends
    /// or the run is abandoned. May be called from any thread.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        room: OwnedSemaphorePermit,
        enlisted: Enlisted,
        drive: impl Future<Output = Left> + Send + 'static,
    ) {
        let shift = Arc::clone(self);
        let task = async move {
            let (_room, enlisted) = (room, enlisted);
            let work = async {
                let _turn = shift.turn().await?;
                Some(drive.await)
            };
            let left = shift.abandon.run_until_cancelled(work).await;
            if left.flatten() == Some(Left::Adrift) {
                enlisted.leave_adrift();
            }
        };
        self.tracker.spawn_on(task, &self.handle);
    }

    /// A turn among the active; none once the run is to end.
    async fn turn(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        if let Ok(turn) = self.active.try_acquire() {
            return (!self.stop.is_cancelled()).then_some(turn);
        }
        let turn = self.stop.run_until_cancelled(self.active.acquire()).await;
        turn.and_then(Result::ok)
    }
}
