//! Postgres by sqlx, in one thread for each store. Units of work need not be
//! `Send`, so they stay in that thread, side by side as tasks of it; what they
//! wait for is the server. Connections are the store's own and not a pool's,
//! because the store must know for each failure whether the unit can have been
//! kept, and so begins and commits by itself.

mod caution;
mod engine;
mod fault;
mod group;
mod lane;
mod migrate;
mod occupancy;
mod pending;
mod provision;
mod session;
mod target;

pub(crate) use engine::Engine;
pub(crate) use fault::Fault;
pub use provision::{Provision, provision, role_exists};
pub(crate) use session::Session;
pub(crate) use target::{BETWEEN, PATIENCE, Purpose, Target, shown};
pub use target::{check_url, schema_of};
