//! Keys whose first request is still under way in this process.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use crate::Problem;

/// The keys in flight; bounded by the requests in flight.
#[derive(Default)]
pub(super) struct InFlight(Arc<Mutex<HashSet<Uuid>>>);

impl InFlight {
    /// Marks a key until the guard is dropped; 409 where it is marked already.
    pub(super) fn enter(&self, key: Uuid) -> Result<Flying, Problem> {
        if !self.0.lock().insert(key) {
            return Err(in_use());
        }
        Ok(Flying {
            keys: self.0.clone(),
            key,
        })
    }

    pub(super) fn contains(&self, key: Uuid) -> bool {
        self.0.lock().contains(&key)
    }
}

/// Holds a key; let go however the request ends.
pub(super) struct Flying {
    keys: Arc<Mutex<HashSet<Uuid>>>,
    key: Uuid,
}

impl Drop for Flying {
    fn drop(&mut self) {
        self.keys.lock().remove(&self.key);
    }
}

/// 409 `idempotency_key_in_use`.
pub(super) fn in_use() -> Problem {
    Problem::conflict(
        "idempotency_key_in_use",
        "The first request with this `Idempotency-Key` is still under way. Try again in a moment.",
    )
    .retry_after(1)
}
