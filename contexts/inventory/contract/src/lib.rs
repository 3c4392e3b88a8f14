//! The published language of the inventory context (the catalogue and its stock): its integration events and its port.

pub mod events;
pub mod port;
