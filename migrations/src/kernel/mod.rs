//! The tables of the kernel's mechanisms, alike in each context's database.

pub(crate) mod idempotency;
pub(crate) mod identity;
pub(crate) mod leases;
pub(crate) mod messaging;
pub(crate) mod saga;
pub(crate) mod streams;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// A number that rises with each row. On SQLite the plain row id does that as
/// long as the highest rows stay; its AUTOINCREMENT would cost a second table
/// for each insert.
fn rising(column: impl IntoIden, backend: DbBackend) -> ColumnDef {
    let mut definition = ColumnDef::new(column);
    definition.big_integer().not_null().primary_key();
    if backend != DbBackend::Sqlite {
        definition.auto_increment();
    }
    definition
}
