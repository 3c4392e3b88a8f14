//! SQLite by rusqlite, in threads that own their connections. A statement
//! costs microseconds here because nothing hops between threads to run it.

mod connection;
mod group;
mod job;
mod migrate;
mod open;
mod reader;
mod values;
mod writer;

pub(crate) use connection::{SharedConnection, is_full};
pub(crate) use job::{Job, job};
pub(crate) use migrate::migrate;
pub(crate) use open::{Opened, open};
pub(crate) use reader::Readers;
pub(crate) use writer::{Command, Shared as WriterShared, Writer};
