//! The published language of the payment context (payments and refunds): its integration events and its port.

pub mod events;
pub mod port;
