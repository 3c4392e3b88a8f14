//! Rows of `payments` and `refunds`, and nothing of them beyond this folder. A
//! guarded write names in SQL the states that it may leave, so that of two who
//! race one wins and the other learns of it.

pub(crate) mod payments;
pub(crate) mod refunds;

use sea_orm::DbErr;

/// A row that this program cannot have written.
fn corrupt(what: impl std::fmt::Display) -> DbErr {
    DbErr::Type(what.to_string())
}
