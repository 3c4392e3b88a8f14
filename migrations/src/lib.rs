//! The only author of schema: one migrator for each context. A migration that
//! has been released is never edited; the next change is a new file behind it.

pub mod inventory;
mod kernel;
pub mod notification;
pub mod order;
pub mod payment;
pub mod shipping;
pub mod user;
