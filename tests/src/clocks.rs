//! Clocks that are wrong.

use std::time::Duration;

use async_trait::async_trait;
use cleave_store::OwnClock;
use cleave_vocabulary::{Clock, SystemClock, Timestamp};

/// The machine's clock, set ahead.
#[derive(Debug, Clone, Copy)]
pub struct Ahead(pub Duration);

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.0)
    }

    async fn sleep_until(&self, at: Timestamp) {
        SystemClock.sleep_until(at.minus(self.0)).await;
    }
}

impl Ahead {
    /// As the clock of a machine that a store compares with its server's.
    pub fn own(self) -> OwnClock {
        OwnClock(std::sync::Arc::new(self))
    }
}
