//! The rows of sagas and of their log, in the SQL that SQLite and Postgres
//! share. Every move of a saga by its driver is guarded by the fence and by the
//! position that the driver believes in.

mod claims;
mod commit;
mod log;
mod row;

pub(crate) use claims::{
    among, claim, held, let_go, next_due, release, set_aside, set_aside_orphans, take_over,
};
pub(crate) use commit::{Commit, Hold, Missed, cancel, insert, place, renew};
pub(crate) use log::{Entry, append, entries, entries_about};
use row::COLUMNS;
pub(crate) use row::{Row, by_id, listed, status_of, stuck, unowned};
