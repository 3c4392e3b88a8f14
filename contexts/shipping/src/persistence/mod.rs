//! Rows of `shipments`, and nothing of them beyond this folder. A guarded write
//! names in SQL the state that it may leave, so that of two who race one wins
//! and the other learns of it.

pub(crate) mod attempts;
pub(crate) mod due;
pub(crate) mod shipments;

use sea_orm::DbErr;

/// A row that this program cannot have written.
fn corrupt(what: impl std::fmt::Display) -> DbErr {
    DbErr::Type(what.to_string())
}
