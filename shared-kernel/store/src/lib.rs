//! A database to each context, reached through units of work.
//!
//! A unit of work is an async closure over a [`Tx`]. It is written once,
//! against sea-orm's `ConnectionTrait`, and commits whole or not at all,
//! whoever goes on waiting for it. Nothing above this crate knows which
//! database carries it.
//!
//! On SQLite one thread owns the writing connection. It takes what is queued,
//! runs it in one transaction, commits once, and tells each caller its own
//! outcome: many units share one wait for the disk, and one that fails takes no
//! other with it, because the others are then run again, each under a savepoint.
//!
//! On Postgres transactions run side by side on a bounded number of connections,
//! and units that come while one is under way join it. What the server asks to
//! repeat, or whose connection broke before its commit, is run again by the store.

mod change;
mod clock;
mod error;
mod hub;
mod job;
mod journal;
mod listeners;
mod moving;
mod options;
mod portions;
mod postgres;
pub mod sql;
mod sqlite;
mod store;
mod tx;

pub use change::Change;
pub use clock::OwnClock;
pub use error::{OpenError, StoreError, UnitError, is_unique_violation};
pub use journal::Journal;
pub use listeners::Following;
pub use moving::{
    Before as MovedBefore, Location, MoveError, Moved, Options as MoveOptions,
    Progress as MoveProgress, relocate,
};
pub use options::{PostgresOptions, SqliteOptions};
pub use portions::portions;
pub use postgres::{Provision, check_url, provision, role_exists, schema_of};
pub use store::{ReadStats, Store, StoreHealth, WriteStats};
pub use tx::{Signal, Tx};

/// What a unit of work returns: its value, its own refusal, or a failure of the store.
pub type Unit<T, R = std::convert::Infallible> = Result<T, UnitError<R>>;
