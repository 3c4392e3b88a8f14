//! A stage on the way to the outside world, where a test holds calls, loses
//! them or turns them away.

use cleave_vocabulary::{Failure, FailureKind, PortError};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Where calls are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Nowhere.
    #[default]
    Open,
    /// On their way out.
    Before,
    /// Done, the answer on its way back.
    After,
    /// As `After`, of a call that takes an earlier one back.
    AfterUndo,
    /// Nothing gets through; it is certain that nothing was done.
    Away,
}

/// Stands before the outside world.
#[derive(Debug, Default)]
pub struct Gate {
    stage: Mutex<Stage>,
    /// Somebody reached the stage.
    pub reached: Notify,
    /// Whoever is held goes on.
    pub release: Notify,
}

impl Gate {
    /// Calls are held there from now on.
    pub fn set(&self, stage: Stage) {
        *self.stage.lock() = stage;
    }

    /// Holds the call that comes by, where this is the stage.
    pub async fn hold(&self, stage: Stage) {
        let held = *self.stage.lock() == stage;
        if held {
            self.reached.notify_one();
            self.release.notified().await;
        }
    }

    /// Turns the call away where nothing gets through.
    pub fn there(&self) -> Result<(), PortError> {
        if *self.stage.lock() == Stage::Away {
            return Err(Failure::clean(FailureKind::Unavailable, "away").into());
        }
        Ok(())
    }

    /// The program dies with the call at the stage that is set.
    ///
    /// # Panics
    /// Where the call ends before it.
    pub async fn crash<T: std::fmt::Debug>(&self, call: JoinHandle<T>) {
        self.reached.notified().await;
        call.abort();
        assert!(call.await.expect_err("aborted").is_cancelled());
        self.set(Stage::Open);
    }
}
