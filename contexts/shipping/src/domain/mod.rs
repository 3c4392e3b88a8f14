//! The rules of shipments, free of clocks, databases and carriers: the states
//! that a shipment passes through, and what a repeated command is answered.
//! Where two move the same shipment, the persistence lets one win.

mod rounds;
mod shipment;
mod status;

pub(crate) use rounds::Rounds;
pub(crate) use shipment::{RefusedBooking, Shipment, Slot, another_shipment};
pub(crate) use status::{InvalidTransition, ShipmentStatus};
