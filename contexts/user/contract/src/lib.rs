//! The published language of the user context (accounts and sessions): its integration events and its port.

pub mod events;
pub mod port;
