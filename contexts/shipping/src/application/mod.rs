//! What shipping does, a use case to a file. Each owns its unit of work; the
//! carrier is asked before it, and never within.

mod audit_shipments;
mod cancel_shipment;
mod find_shipments;
mod make_rounds;
mod move_shipment;
mod schedule_shipment;

use std::sync::Arc;

use cleave_hosting::Needs;
use cleave_store::{Store, StoreError};
use cleave_vocabulary::{Clock, EventSource, Failure, FailureKind, IdSource};

use crate::carrier::GuardedCarrier;
use crate::domain::Rounds;

pub(crate) use find_shipments::Wanted;
pub(crate) use make_rounds::make_rounds;
pub(crate) use move_shipment::MoveRefusal;

/// The use cases, and what they work with.
#[derive(Clone)]
pub(crate) struct Shipping {
    store: Store,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    events: EventSource,
    carrier: Arc<GuardedCarrier>,
    rounds: Rounds,
}

impl Shipping {
    pub(crate) fn new(needs: &Needs, carrier: GuardedCarrier, rounds: Rounds) -> Self {
        Self {
            store: needs.store.clone(),
            clock: needs.clock.clone(),
            ids: needs.ids.clone(),
            events: EventSource::new("/contexts/shipping", needs.clock.clone(), needs.ids.clone()),
            carrier: Arc::new(carrier),
            rounds,
        }
    }
}

/// What the store's failure is to a caller: nothing was done, but where the
/// answer to the commit was lost.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn failure(error: StoreError) -> Failure {
    let kind = match error {
        StoreError::Busy { .. } => FailureKind::Overloaded,
        _ => FailureKind::Unavailable,
    };
    Failure {
        outcome_unknown: error.outcome_unknown(),
        ..Failure::clean(kind, error.to_string())
    }
}
