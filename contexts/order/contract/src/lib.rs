//! The published language of the order context (orders and their fulfilment): its integration events. Nobody calls
//! this context; it has no port.

pub mod events;
