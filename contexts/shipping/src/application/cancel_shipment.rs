//! Calls a shipment off: the undoing of its booking. The carrier is told first,
//! by the order, so that nothing it holds for it is left behind whether we know
//! of it or not; then it is recorded here, as a cancelled shipment or as the
//! tombstone that refuses a late one.

use cleave_messaging::Outbox;
use cleave_shipping_contract::events::ShipmentCancelled;
use cleave_shipping_contract::port::{ALREADY_DISPATCHED, CancelShipment, Cancelled};
use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{
    CallContext, Failure, FailureKind, OrderId, PortError, Refusal, ShipmentId,
};

use super::{Shipping, failure};
use crate::domain::{ShipmentStatus, Slot};
use crate::persistence::shipments;

/// How often to look again at a shipment that others move meanwhile; it has
/// fewer states than this.
const ROUNDS: usize = 4;

/// Somebody moved the shipment since it was read.
struct Contended;

impl Shipping {
    /// Sees to it that no shipment happens for the order; safe to repeat.
    pub(crate) async fn cancel_shipment(
        &self,
        call: &CallContext,
        command: CancelShipment,
    ) -> Result<Cancelled, PortError> {
        let order = command.order_id;
        self.carrier.cancel(call, &order.to_string()).await?;
        for _ in 0..ROUNDS {
            let (this, call) = (self.clone(), call.clone());
            let recorded = self
                .store
                .write(async move |tx| this.record_cancellation(tx, &call, order).await)
                .await;
            match recorded {
                Ok(outcome) => return Ok(outcome?),
                Err(UnitError::Refused(Contended)) => {}
                Err(UnitError::Failed(error)) => return Err(failure(error).into()),
            }
        }
        let words = "the shipment was moved by others again and again";
        Err(Failure::clean(FailureKind::Overloaded, words).into())
    }

    async fn record_cancellation(
        &self,
        tx: &Tx,
        call: &CallContext,
        order: OrderId,
    ) -> Unit<Result<Cancelled, Refusal>, Contended> {
        let now = self.clock.now();
        let shipment = match shipments::of_order(tx, order).await? {
            Some(Slot::Booked(shipment)) => shipment,
            Some(Slot::Void | Slot::Refused(_)) => return Ok(Ok(none(None))),
            None if shipments::insert_void(tx, self.ids.next(), order, now).await? => {
                return Ok(Ok(none(None)));
            }
            None => return Err(UnitError::Refused(Contended)),
        };
        let (id, user_id) = (shipment.id, shipment.user_id);
        if shipment.status == ShipmentStatus::Cancelled {
            return Ok(Ok(none(Some(id))));
        }
        let Ok(cancelled) = shipment.cancelled(now) else {
            return Ok(Err(dispatched()));
        };
        if !shipments::advance(tx, &cancelled, ShipmentStatus::Scheduled).await? {
            return Err(UnitError::Refused(Contended));
        }
        let event = ShipmentCancelled {
            shipment_id: id,
            order_id: order,
            user_id,
        };
        Outbox::append(tx, &[self.events.event(call, &event)]).await?;
        Ok(Ok(none(Some(id))))
    }
}

fn none(shipment_id: Option<ShipmentId>) -> Cancelled {
    Cancelled { shipment_id }
}

fn dispatched() -> Refusal {
    Refusal::new(
        ALREADY_DISPATCHED,
        "the carrier has picked the shipment up already",
    )
}
