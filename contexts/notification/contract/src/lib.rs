//! The published language of the notification context (messages to users): its integration events. Nobody calls
//! this context; it has no port.

pub mod events;
