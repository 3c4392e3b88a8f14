//! Moves a shipment by hand, as an admin does who knows better than the carrier
//! tells: dispatched, delivered.

use cleave_messaging::Outbox;
use cleave_shipping_contract::events::{ShipmentDelivered, ShipmentDispatched};
use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{CallContext, Envelope, ShipmentId};

use super::Shipping;
use crate::domain::{InvalidTransition, Shipment};
use crate::persistence::shipments;

/// Why a shipment is not moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MoveRefusal {
    #[error("there is no such shipment")]
    NoSuchShipment,
    #[error(transparent)]
    Invalid(#[from] InvalidTransition),
    #[error("the shipment is being moved by somebody else")]
    Contended,
}

impl Shipping {
    /// The carrier has picked it up.
    pub(crate) async fn dispatch(
        &self,
        tx: &Tx,
        call: &CallContext,
        id: ShipmentId,
    ) -> Unit<Shipment, MoveRefusal> {
        let now = self.clock.now();
        let shipment = found(tx, id).await?;
        let from = shipment.status;
        let sent = shipment.dispatched(now, self.rounds).map_err(refused)?;
        let event = ShipmentDispatched {
            shipment_id: sent.id,
            order_id: sent.order_id,
            user_id: sent.user_id,
            tracking_number: sent.tracking_number.clone(),
            dispatched_at: now,
        };
        let advanced = shipments::advance(tx, &sent, from).await?;
        told(tx, advanced, self.events.event(call, &event)).await?;
        Ok(sent)
    }

    /// It has arrived.
    pub(crate) async fn deliver(
        &self,
        tx: &Tx,
        call: &CallContext,
        id: ShipmentId,
    ) -> Unit<Shipment, MoveRefusal> {
        let now = self.clock.now();
        let shipment = found(tx, id).await?;
        let from = shipment.status;
        let arrived = shipment.delivered(now).map_err(refused)?;
        let event = ShipmentDelivered {
            shipment_id: arrived.id,
            order_id: arrived.order_id,
            user_id: arrived.user_id,
            delivered_at: now,
        };
        let advanced = shipments::advance(tx, &arrived, from).await?;
        told(tx, advanced, self.events.event(call, &event)).await?;
        Ok(arrived)
    }
}

async fn found(tx: &Tx, id: ShipmentId) -> Unit<Shipment, MoveRefusal> {
    let shipment = shipments::by_id(tx, id).await?;
    shipment.ok_or(UnitError::Refused(MoveRefusal::NoSuchShipment))
}

async fn told(tx: &Tx, advanced: bool, event: Envelope) -> Unit<(), MoveRefusal> {
    if !advanced {
        return Err(UnitError::Refused(MoveRefusal::Contended));
    }
    Ok(Outbox::append(tx, &[event]).await?)
}

fn refused(invalid: InvalidTransition) -> UnitError<MoveRefusal> {
    UnitError::Refused(invalid.into())
}
