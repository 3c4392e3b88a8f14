//! Rows, and nothing above them. Every order writes five of them and has five
//! changed, so the statements here are few, by hand, and of many rows.

pub(crate) mod books;
pub(crate) mod notifications;
pub(crate) mod recipients;

use sea_orm::DbErr;

/// What a row holds is not what was ever written to it.
fn corrupt(what: &str) -> DbErr {
    DbErr::Type(format!("a row holds no valid {what}"))
}
