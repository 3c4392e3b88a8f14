//! One clock for all processes that share a database: its server's. Each process
//! measures how far its own is from that, and counts in what it keeps there for the
//! others (until when a lease is held, when a saga is due) by the server's time.
//! What nobody else reads goes by the process's own clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cleave_vocabulary::{Clock, SystemClock, Timestamp};

use crate::hub::Hub;

/// What no measure can be more exact than.
const FLOOR: Duration = Duration::from_millis(1);

/// The clock that is compared with the server's: the machine's, unless a test has
/// one that is wrong.
#[derive(Clone)]
pub struct OwnClock(pub Arc<dyn Clock>);

impl Default for OwnClock {
    fn default() -> Self {
        Self(Arc::new(SystemClock))
    }
}

impl std::fmt::Debug for OwnClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnClock")
    }
}

/// By how many microseconds the server's clock is ahead of ours, or behind.
#[derive(Debug, Default)]
pub(crate) struct Offset(AtomicI64);

impl Offset {
    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes in that the server's clock showed `theirs` at some moment between `asked`
    /// and `heard` by ours; what it is from then on. What the way there and back can
    /// explain is no difference, so that clocks that agree are never moved.
    pub(crate) fn measure(&self, asked: Timestamp, theirs: Timestamp, heard: Timestamp) -> i64 {
        let way = heard.since(asked);
        let ahead = theirs.as_micros() - asked.plus(way / 2).as_micros();
        let error = (way / 2).max(FLOOR);
        let known = self.get();
        let apart = |from: i64| u128::from(ahead.abs_diff(from)) > error.as_micros();
        let found = if !apart(0) {
            0
        } else if apart(known) {
            ahead
        } else {
            known
        };
        self.0.store(found, Ordering::Relaxed);
        found
    }
}

/// A process's clock, read as the others who share the store read theirs.
pub(crate) struct SharedClock {
    pub(crate) hub: Arc<Hub>,
    pub(crate) own: Arc<dyn Clock>,
}

impl SharedClock {
    fn ahead(&self) -> i64 {
        if self.hub.is_shared() {
            self.hub.offset.get()
        } else {
            0
        }
    }
}

#[async_trait]
impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        let own = self.own.now().as_micros();
        Timestamp::from_micros(own.saturating_add(self.ahead()))
    }

    async fn sleep_until(&self, at: Timestamp) {
        // The server's clock may have been set meanwhile: look again.
        while self.now() < at {
            let own = at.as_micros().saturating_sub(self.ahead());
            self.own.sleep_until(Timestamp::from_micros(own)).await;
        }
    }

    async fn sleep(&self, span: Duration) {
        // It is as long by either.
        self.own.sleep(span).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    #[test]
    fn clocks_that_the_way_to_the_server_can_hold_apart_agree() {
        let offset = Offset::default();
        assert_eq!(offset.measure(at(100), at(100), at(140)), 0);
        assert_eq!(offset.measure(at(100), at(140), at(140)), 0);
        assert_eq!(offset.measure(at(100), at(100), at(100)), 0);
        assert_eq!(offset.measure(at(100), at(141), at(140)), 21_000);
    }

    #[test]
    fn a_measure_is_kept_until_another_contradicts_it() {
        let offset = Offset::default();
        assert_eq!(offset.measure(at(100), at(5_110), at(120)), 5_000_000);
        assert_eq!(offset.measure(at(200), at(5_300), at(400)), 5_000_000);
        assert_eq!(offset.measure(at(500), at(6_510), at(520)), 6_000_000);
        assert_eq!(offset.measure(at(600), at(590), at(600)), -10_000);
        assert_eq!(offset.measure(at(700), at(700), at(700)), 0);
    }
}
