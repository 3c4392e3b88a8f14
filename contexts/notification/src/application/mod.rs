//! What is done with messages, one use case to a file.

pub(crate) mod mark_read;
pub(crate) mod notify;
pub(crate) mod read_inbox;
pub(crate) mod remember_recipient;
pub(crate) mod send;
