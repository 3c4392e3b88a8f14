//! The published language of the shipping context (shipments): its integration events and its port.

pub mod events;
pub mod port;
