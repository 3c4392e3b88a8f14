//! SQLite by rusqlite, in threads that own their connections. A statement
//! costs microseconds here because nothing hops between threads to run it.

mod connection;
mod engine;
mod group;
mod migrate;
mod open;
mod reader;
mod values;
mod writer;

pub(crate) use connection::{SharedConnection, is_full};
pub(crate) use engine::Engine;
pub(crate) use migrate::in_memory;
pub(crate) use open::{explain, lock};
