//! The shipment of an order.

use cleave_shipping_contract::port::{
    ALREADY_CANCELLED, SHIPPING_REFUSED, ScheduleShipment, Scheduled,
};
use cleave_vocabulary::{CorrelationId, OrderId, Refusal, ShipmentId, Timestamp, UserId};

use super::{InvalidTransition, Rounds, ShipmentStatus};

/// What an order has in this context: at most one of these, ever.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    /// It was cancelled before it was booked: a booking that comes late is refused.
    Void,
    /// The carrier does not take it.
    Refused(RefusedBooking),
    /// A shipment.
    Booked(Box<Shipment>),
}

/// An attempt that the carrier refused.
#[derive(Debug, Clone)]
pub(crate) struct RefusedBooking {
    pub(crate) id: ShipmentId,
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    /// The key of the command that asked for it.
    pub(crate) key: String,
    /// In the carrier's words.
    pub(crate) message: String,
    pub(crate) at: Timestamp,
}

/// The shipment of an order. It does not know the address: the carrier does,
/// and so does the order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shipment {
    pub(crate) id: ShipmentId,
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    /// The key of the command that booked it.
    pub(crate) key: String,
    pub(crate) status: ShipmentStatus,
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
    /// What the request that booked it was called: what the carrier does by
    /// itself is told in the same name.
    pub(crate) correlation: CorrelationId,
    /// When the simulated carrier comes for its next step, if it does.
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) dispatched_at: Option<Timestamp>,
    pub(crate) delivered_at: Option<Timestamp>,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Slot {
    /// What a booking of the same order is answered: the first outcome, where
    /// it is the same command.
    pub(crate) fn recall(&self, command: &ScheduleShipment) -> Result<Scheduled, Refusal> {
        match self {
            Self::Void => Err(Refusal::new(
                ALREADY_CANCELLED,
                "the order's shipment was cancelled before it was booked",
            )),
            Self::Refused(attempt) if attempt.key == command.key => Err(attempt.refusal()),
            Self::Booked(shipment) if shipment.key == command.key => Ok(shipment.booked()),
            Self::Refused(_) | Self::Booked(_) => Err(another_shipment()),
        }
    }
}

impl RefusedBooking {
    pub(crate) fn refusal(&self) -> Refusal {
        Refusal::new(SHIPPING_REFUSED, self.message.clone())
    }
}

impl Shipment {
    /// What its booking was answered, whatever became of it since.
    pub(crate) fn booked(&self) -> Scheduled {
        Scheduled {
            shipment_id: self.id,
            carrier: self.carrier.clone(),
            tracking_number: self.tracking_number.clone(),
        }
    }

    /// The carrier has picked it up.
    pub(crate) fn dispatched(
        mut self,
        at: Timestamp,
        rounds: Rounds,
    ) -> Result<Self, InvalidTransition> {
        self.status = self.status.to(ShipmentStatus::InTransit)?;
        self.dispatched_at = Some(at);
        self.due_at = rounds.delivery_of(at);
        Ok(self.changed(at))
    }

    /// It has arrived.
    pub(crate) fn delivered(mut self, at: Timestamp) -> Result<Self, InvalidTransition> {
        self.status = self.status.to(ShipmentStatus::Delivered)?;
        self.delivered_at = Some(at);
        self.due_at = None;
        Ok(self.changed(at))
    }

    /// It is called off.
    pub(crate) fn cancelled(mut self, at: Timestamp) -> Result<Self, InvalidTransition> {
        self.status = self.status.to(ShipmentStatus::Cancelled)?;
        self.due_at = None;
        Ok(self.changed(at))
    }

    fn changed(mut self, at: Timestamp) -> Self {
        self.version += 1;
        self.updated_at = at;
        self
    }

    /// What is wrong with its times, if anything: a status brings some and
    /// leaves others open.
    pub(crate) fn misdated(&self) -> Option<&'static str> {
        let (left, arrived) = (self.dispatched_at, self.delivered_at);
        match self.status {
            ShipmentStatus::Scheduled | ShipmentStatus::Cancelled if left.is_some() => {
                Some("it was picked up, its status says no")
            }
            ShipmentStatus::InTransit | ShipmentStatus::Delivered if left.is_none() => {
                Some("nobody picked it up, its status says so")
            }
            ShipmentStatus::Delivered if arrived < left => Some("it arrived before it left"),
            ShipmentStatus::Delivered | ShipmentStatus::Cancelled if self.due_at.is_some() => {
                Some("it is finished, and the carrier is still to come")
            }
            ShipmentStatus::Delivered => None,
            _ if arrived.is_some() => Some("it has arrived, its status says no"),
            _ => None,
        }
    }
}

/// The refusal of a booking under another key than the one that the order has
/// already: an order is shipped once.
pub(crate) fn another_shipment() -> Refusal {
    Refusal::new(
        "schedule_conflict",
        "the order has another booking already, or the key belongs to another order",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cleave_shipping_contract::port::Address;
    use cleave_vocabulary::{IdSource, SequentialIds};

    use super::*;

    const AT: Timestamp = Timestamp::from_micros(7_000_000);

    fn rounds() -> Rounds {
        Rounds {
            pickup_after: Some(Duration::from_secs(2)),
            deliver_after: Some(Duration::from_secs(5)),
        }
    }

    fn scheduled() -> Shipment {
        let ids: &dyn IdSource = &SequentialIds::default();
        Shipment {
            id: ids.next(),
            order_id: ids.next(),
            user_id: ids.next(),
            key: "saga:arrange_shipping".into(),
            status: ShipmentStatus::Scheduled,
            carrier: "simulated".into(),
            tracking_number: "SIM1".into(),
            correlation: CorrelationId::fresh(ids),
            due_at: rounds().pickup_of(AT),
            dispatched_at: None,
            delivered_at: None,
            version: 1,
            created_at: AT,
            updated_at: AT,
        }
    }

    fn command(key: &str) -> ScheduleShipment {
        let Shipment {
            order_id, user_id, ..
        } = scheduled();
        let text = String::new;
        let address = Address {
            name: text(),
            line1: text(),
            line2: None,
            city: text(),
            postal_code: text(),
            country: text(),
        };
        ScheduleShipment {
            key: key.into(),
            order_id,
            user_id,
            address,
        }
    }

    #[test]
    fn delivery_is_due_so_long_after_the_pickup() {
        let sent = scheduled().dispatched(AT, rounds()).expect("sent");
        assert_eq!(sent.due_at, Some(AT.plus(Duration::from_secs(5))));
        assert_eq!((sent.version, sent.misdated()), (2, None));
        let arrived = sent.delivered(AT).expect("arrived");
        assert_eq!((arrived.due_at, arrived.misdated()), (None, None));
        let never = Rounds {
            deliver_after: None,
            ..rounds()
        };
        let sent = scheduled().dispatched(AT, never).expect("sent");
        assert_eq!(sent.due_at, None);
    }

    #[test]
    fn what_is_under_way_is_not_called_off() {
        assert!(scheduled().cancelled(AT).is_ok());
        let sent = scheduled().dispatched(AT, rounds()).expect("sent");
        assert!(sent.clone().cancelled(AT).is_err());
        assert!(sent.dispatched(AT, rounds()).is_err());
        assert!(scheduled().delivered(AT).is_err());
    }

    #[test]
    fn a_repeated_booking_recalls_the_first_outcome() {
        let same = command("saga:arrange_shipping");
        let cancelled = scheduled().cancelled(AT).expect("called off");
        for shipment in [scheduled(), cancelled] {
            let booked = Ok(shipment.booked());
            let slot = Slot::Booked(Box::new(shipment));
            assert_eq!(slot.recall(&same), booked);
            assert_eq!(slot.recall(&command("other")), Err(another_shipment()));
        }
        let code = |slot: Slot| slot.recall(&same).expect_err("refused").code;
        assert_eq!(code(Slot::Void), ALREADY_CANCELLED);
        let Shipment {
            id,
            order_id,
            user_id,
            key,
            ..
        } = scheduled();
        let refused = RefusedBooking {
            id,
            order_id,
            user_id,
            key,
            message: "no".into(),
            at: AT,
        };
        assert_eq!(code(Slot::Refused(refused)), SHIPPING_REFUSED);
    }

    #[test]
    fn times_that_a_status_does_not_bear_out_are_noticed() {
        let mut early = scheduled();
        early.dispatched_at = Some(AT);
        let mut lost = scheduled();
        lost.status = ShipmentStatus::InTransit;
        let mut due = scheduled().cancelled(AT).expect("called off");
        due.due_at = Some(AT);
        for shipment in [early, lost, due] {
            assert!(shipment.misdated().is_some(), "{shipment:?}");
        }
    }
}
