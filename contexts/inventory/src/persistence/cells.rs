//! Values out of rows.

use sea_orm::{DbErr, QueryResult};

/// A value that the database keeps, and that means nothing here: a defect, or
/// another hand in the database.
pub(super) fn nonsense(what: &str) -> DbErr {
    DbErr::Type(format!("the database holds what is no {what}"))
}

/// The column `name` of a row.
pub(super) fn column<T: sea_orm::TryGetable>(row: &QueryResult, name: &str) -> Result<T, DbErr> {
    row.try_get("", name)
}
