//! A database to each context, reached through units of work.
//!
//! A unit of work is an async closure over a [`Tx`]. It is written once,
//! against sea-orm's `ConnectionTrait`, and commits whole or not at all,
//! whoever goes on waiting for it. Nothing above this crate knows which
//! database carries it.

mod error;
mod store;
mod tx;

pub use error::{OpenError, StoreError, UnitError};
pub use store::{ReadStats, SqliteOptions, Store, StoreHealth, WriteStats};
pub use tx::{Signal, Tx};

/// What a unit of work returns: its value, its own refusal, or a failure of the store.
pub type Unit<T, R = std::convert::Infallible> = Result<T, UnitError<R>>;
