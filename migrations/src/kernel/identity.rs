//! Which database it is, among all that a context may ever be pointed at. The row
//! is written by the first process that works on it, not here: what a migration
//! puts into a table must be alike everywhere.

use sea_orm_migration::prelude::*;

#[derive(DeriveIden)]
enum ContextIdentity {
    Table,
    Id,
    Identity,
}

/// Makes the table.
pub(crate) struct IdentityTable;

impl MigrationName for IdentityTable {
    fn name(&self) -> &'static str {
        "m20260103_000002_context_identity"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for IdentityTable {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(ContextIdentity::Table)
            .col(
                ColumnDef::new(ContextIdentity::Id)
                    .big_integer()
                    .not_null()
                    .primary_key(),
            )
            .col(
                ColumnDef::new(ContextIdentity::Identity)
                    .string()
                    .not_null(),
            )
            .to_owned();
        manager.create_table(table).await
    }
}
