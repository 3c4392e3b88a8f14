//! The tables of the kernel's mechanisms, alike in each context's database.

pub(crate) mod idempotency;
pub(crate) mod messaging;
pub(crate) mod saga;
