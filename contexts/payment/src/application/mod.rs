//! What payments do, a use case to a file. Each owns its units of work; between
//! two of them the gateway may be asked, and never within one.

mod audit_books;
mod charge_order;
mod find_payments;
mod open_refund;
mod refund_order;
mod refund_payment;
mod resolve_charge;
mod settle_charge;
mod settle_refund;

use std::sync::Arc;

use cleave_hosting::Needs;
use cleave_store::{Store, StoreError, UnitError};
use cleave_vocabulary::{Clock, EventSource, Failure, FailureKind, IdSource, PortError, Refusal};

use crate::gateway::GuardedGateway;

pub(crate) use find_payments::{PaymentDetails, Wanted};
pub(crate) use refund_payment::RefundRequest;
pub(crate) use settle_refund::sweep;

/// The use cases, and what they work with.
#[derive(Clone)]
pub(crate) struct Payments {
    store: Store,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    events: EventSource,
    gateway: Arc<GuardedGateway>,
}

impl Payments {
    pub(crate) fn new(needs: &Needs, gateway: GuardedGateway) -> Self {
        Self {
            store: needs.store.clone(),
            clock: needs.clock.clone(),
            ids: needs.ids.clone(),
            events: EventSource::new("/contexts/payment", needs.clock.clone(), needs.ids.clone()),
            gateway: Arc::new(gateway),
        }
    }

    /// Whether a payment method can be charged at all.
    pub(crate) fn knows_method(&self, method: &str) -> bool {
        self.gateway.unguarded().supports(method)
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

fn port_error(error: UnitError<Refusal>) -> PortError {
    match error {
        UnitError::Refused(refusal) => refusal.into(),
        UnitError::Failed(error) => failure(error).into(),
    }
}
