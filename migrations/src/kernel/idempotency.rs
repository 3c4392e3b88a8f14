//! The table of the idempotency mechanism: the outcome of each keyed request.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveIden)]
enum Idempotency {
    Table,
    Id,
    KeyHash,
    Digest,
    Status,
    Location,
    Etag,
    Body,
    Sealed,
    CreatedAt,
}

/// Makes it. `id` rises with time, so that a sweep finds the oldest rows
/// without an index on their age: every index would cost every order.
pub(crate) async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut id = ColumnDef::new(Idempotency::Id);
    match manager.get_database_backend() {
        // SQLite's own row number, which AUTOINCREMENT would only make dearer.
        DbBackend::Sqlite => id.custom("integer").not_null().primary_key(),
        _ => id.big_integer().not_null().auto_increment().primary_key(),
    };
    let table = Table::create()
        .table(Idempotency::Table)
        .col(id)
        .col(ColumnDef::new(Idempotency::KeyHash).uuid().not_null())
        .col(ColumnDef::new(Idempotency::Digest).uuid().not_null())
        .col(ColumnDef::new(Idempotency::Status).big_integer().not_null())
        .col(ColumnDef::new(Idempotency::Location).string())
        .col(ColumnDef::new(Idempotency::Etag).string())
        .col(ColumnDef::new(Idempotency::Body).text().not_null())
        .col(ColumnDef::new(Idempotency::Sealed).boolean().not_null())
        .col(
            ColumnDef::new(Idempotency::CreatedAt)
                .big_integer()
                .not_null(),
        )
        .to_owned();
    manager.create_table(table).await?;
    let index = Index::create()
        .name("idempotency_key_hash")
        .table(Idempotency::Table)
        .col(Idempotency::KeyHash)
        .unique()
        .to_owned();
    manager.create_index(index).await
}
