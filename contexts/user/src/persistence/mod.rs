//! Rows, and nothing above them: entities never leave this folder.

pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod users;

use sea_orm::DbErr;

/// What a row holds is not what was ever written to it.
fn corrupt(what: &str) -> DbErr {
    DbErr::Type(format!("a row holds no valid {what}"))
}
