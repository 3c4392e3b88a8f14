//! Books a shipment, in one unit after the carrier has answered. Nothing is
//! written before it is asked, because nothing need be: the carrier knows the
//! booking by the order, so that a booking which a crash kept from our books is
//! found by repeating the command, or called off by cancelling the order's
//! shipment, and neither needs to know that it was ever made.

use cleave_messaging::Outbox;
use cleave_shipping_contract::events::{ShipmentRefused, ShipmentScheduled};
use cleave_shipping_contract::port::{ALREADY_CANCELLED, ScheduleShipment, Scheduled};
use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{CallContext, Envelope, Failure, KeyedOutcome, PortError, Refusal};

use super::{Shipping, failure};
use crate::carrier::Booking;
use crate::domain::{RefusedBooking, Shipment, ShipmentStatus, Slot, another_shipment};
use crate::persistence::shipments;

impl Shipping {
    /// Books the shipment, or finds what became of booking it before.
    pub(crate) async fn schedule_shipment(
        &self,
        call: &CallContext,
        command: ScheduleShipment,
    ) -> Result<Scheduled, PortError> {
        let reference = command.order_id.to_string();
        let booked = self.carrier.book(call, &reference, &command.address).await;
        match booked {
            Ok(booking) => self.record_booking(call, command, booking).await,
            // The carrier remembers a cancellation that has not come to us yet.
            Err(PortError::Refused(refusal)) if refusal.code == ALREADY_CANCELLED => {
                Err(refusal.into())
            }
            Err(PortError::Refused(refusal)) => self.record_refusal(call, command, refusal).await,
            Err(PortError::Failed(failure)) => self.recall(command, failure).await,
        }
    }

    async fn record_booking(
        &self,
        call: &CallContext,
        command: ScheduleShipment,
        booking: Booking,
    ) -> Result<Scheduled, PortError> {
        let shipment = self.shipment_of(call, &command, booking);
        let scheduled = ShipmentScheduled {
            shipment_id: shipment.id,
            order_id: shipment.order_id,
            user_id: shipment.user_id,
            carrier: shipment.carrier.clone(),
            tracking_number: shipment.tracking_number.clone(),
        };
        let event = self.events.event(call, &scheduled);
        let unit = async move |tx: &Tx| {
            let inserted = shipments::insert(tx, &shipment).await?;
            let first = || Ok(shipment.booked());
            conclude(tx, inserted, first, &event, &command).await
        };
        answer(self.store.write(unit).await)
    }

    async fn record_refusal(
        &self,
        call: &CallContext,
        command: ScheduleShipment,
        refusal: Refusal,
    ) -> Result<Scheduled, PortError> {
        let attempt = RefusedBooking {
            id: self.ids.next(),
            order_id: command.order_id,
            user_id: command.user_id,
            key: command.key.clone(),
            message: refusal.message,
            at: self.clock.now(),
        };
        let refused = ShipmentRefused {
            shipment_id: attempt.id,
            order_id: attempt.order_id,
            user_id: attempt.user_id,
            message: attempt.message.clone(),
        };
        let event = self.events.event(call, &refused);
        let unit = async move |tx: &Tx| {
            let inserted = shipments::insert_refused(tx, &attempt).await?;
            let first = || Err(attempt.refusal());
            conclude(tx, inserted, first, &event, &command).await
        };
        answer(self.store.write(unit).await)
    }

    /// A carrier that does not answer takes nothing back that is known here.
    async fn recall(
        &self,
        command: ScheduleShipment,
        unanswered: Failure,
    ) -> Result<Scheduled, PortError> {
        let found = self
            .store
            .read(async move |tx| {
                let slot = shipments::of_order(tx, command.order_id).await?;
                Ok(slot.map(|slot| slot.recall(&command)))
            })
            .await;
        match found.map_err(UnitError::into_store_error) {
            Ok(Some(outcome)) => Ok(outcome?),
            Ok(None) | Err(_) => Err(unanswered.into()),
        }
    }

    /// What became of a booking, by the key of its command. `Never` where
    /// nothing was recorded: the booking may be repeated or called off, and if
    /// the carrier holds it already, either finds it.
    pub(crate) async fn resolve(&self, key: String) -> Result<KeyedOutcome<Scheduled>, PortError> {
        let found: Unit<Option<Slot>> = self
            .store
            .read(async move |tx| Ok(shipments::by_key(tx, &key).await?))
            .await;
        let slot = found.map_err(|error| failure(error.into_store_error()))?;
        Ok(match slot {
            Some(Slot::Booked(shipment)) => KeyedOutcome::Done(shipment.booked()),
            Some(Slot::Refused(attempt)) => KeyedOutcome::Refused(attempt.refusal()),
            Some(Slot::Void) | None => KeyedOutcome::Never,
        })
    }

    fn shipment_of(
        &self,
        call: &CallContext,
        command: &ScheduleShipment,
        booking: Booking,
    ) -> Shipment {
        let at = self.clock.now();
        Shipment {
            id: self.ids.next(),
            order_id: command.order_id,
            user_id: command.user_id,
            key: command.key.clone(),
            status: ShipmentStatus::Scheduled,
            carrier: booking.carrier,
            tracking_number: booking.tracking_number,
            correlation: call.correlation.clone(),
            due_at: self.rounds.pickup_of(at),
            dispatched_at: None,
            delivered_at: None,
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }
}

type Outcome = Result<Scheduled, Refusal>;

/// The first outcome is told to the world; a repeated command gets the one that
/// is there.
async fn conclude(
    tx: &Tx,
    inserted: bool,
    first: impl FnOnce() -> Outcome,
    event: &Envelope,
    command: &ScheduleShipment,
) -> Unit<Outcome> {
    if inserted {
        Outbox::append(tx, std::slice::from_ref(event)).await?;
        return Ok(first());
    }
    // Nothing of the order's was in the way, so its key was.
    let slot = shipments::of_order(tx, command.order_id).await?;
    Ok(slot.map_or_else(|| Err(another_shipment()), |slot| slot.recall(command)))
}

/// A unit that failed rolled back; what the carrier has booked is found again.
fn answer(recorded: Unit<Outcome>) -> Result<Scheduled, PortError> {
    let outcome = recorded.map_err(|error| failure(error.into_store_error()))?;
    Ok(outcome?)
}
