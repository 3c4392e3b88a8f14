//! The tables of the idempotency mechanism.

use sea_orm_migration::prelude::*;

/// Makes them.
pub(crate) async fn up(_manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    Ok(())
}
