//! When a carrier that nobody hears from comes by: the simulated one's rounds.

use std::time::Duration;

use cleave_vocabulary::Timestamp;

/// How long after the step before it each next one is due; `None` waits for an
/// admin (or for a carrier that tells us itself).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rounds {
    /// From the booking to the pickup.
    pub(crate) pickup_after: Option<Duration>,
    /// From the pickup to the delivery.
    pub(crate) deliver_after: Option<Duration>,
}

impl Rounds {
    pub(crate) fn pickup_of(self, scheduled_at: Timestamp) -> Option<Timestamp> {
        self.pickup_after.map(|span| scheduled_at.plus(span))
    }

    pub(crate) fn delivery_of(self, dispatched_at: Timestamp) -> Option<Timestamp> {
        self.deliver_after.map(|span| dispatched_at.plus(span))
    }
}
