//! Counts what becomes of reservations, once it is committed.

use cleave_store::Tx;

use crate::domain::State;

/// `count` reservations came to `state` in this unit of work.
pub(super) fn count_reservations(tx: &Tx, state: State, count: u64) {
    tx.after_commit(move || {
        metrics::counter!("cleave_reservations_total", "state" => state.as_str()).increment(count);
    });
}
