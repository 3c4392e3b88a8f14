//! The carrier behind its guard, which owns the retries on this hop. Everything
//! asked of it is known by its reference, and may be repeated at will.

use std::sync::Arc;

use cleave_resilience::{Guard, Idempotence};
use cleave_shipping_contract::port::Address;
use cleave_vocabulary::{CallContext, PortError};

use super::{Booking, Carrier};

pub(crate) struct GuardedCarrier {
    carrier: Arc<dyn Carrier>,
    guard: Guard,
}

impl GuardedCarrier {
    pub(crate) fn new(carrier: Arc<dyn Carrier>, guard: Guard) -> Self {
        Self { carrier, guard }
    }

    pub(crate) async fn book(
        &self,
        call: &CallContext,
        reference: &str,
        address: &Address,
    ) -> Result<Booking, PortError> {
        let carrier = &self.carrier;
        self.guard
            .call("book", Idempotence::Safe, call, async |_| {
                carrier.book(reference, address).await
            })
            .await
    }

    pub(crate) async fn cancel(
        &self,
        call: &CallContext,
        reference: &str,
    ) -> Result<(), PortError> {
        let carrier = &self.carrier;
        self.guard
            .call("cancel", Idempotence::Safe, call, async |_| {
                carrier.cancel(reference).await
            })
            .await
    }
}
