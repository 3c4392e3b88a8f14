//! The event bus over NATS JetStream, for contexts that run in several processes:
//! stored by the broker once published, handed to one process at a time, in order
//! for each key, whichever process, connection or broker dies in between. It
//! lacks what needs no broker; the contexts know it only as an `EventBus`, and a
//! crate of its own keeps the client's weight out of their builds.
//!
//! ```text
//! relay ── publisher ──► stream of a family ──► consumer of a part ── reader ──► desk ──► handler
//!          a chain        parts, by key           generations         a lease     a key at a time
//! ```

mod bucket;
mod bus;
mod connection;
mod desk;
mod drift;
mod dropped;
mod error;
mod leases;
mod left_behind;
mod limits;
mod login;
mod names;
mod options;
mod part;
mod publisher;
mod reader;
mod register;
mod standing;
mod streams;

pub use bus::NatsBus;
pub use error::NatsError;
pub use options::{NatsOptions, TlsOptions};
