//! What the relay remembers beside its watermark: for each family of events, the
//! stream that it has published to.

use sea_orm_migration::prelude::*;

#[derive(DeriveIden)]
enum OutboxStreams {
    Table,
    Family,
    Incarnation,
}

/// Makes the table.
pub(crate) struct StreamTable;

impl MigrationName for StreamTable {
    fn name(&self) -> &'static str {
        "m20260103_000001_outbox_streams"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for StreamTable {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(OutboxStreams::Table)
            .col(
                ColumnDef::new(OutboxStreams::Family)
                    .string()
                    .not_null()
                    .primary_key(),
            )
            .col(
                ColumnDef::new(OutboxStreams::Incarnation)
                    .string()
                    .not_null(),
            )
            .to_owned();
        manager.create_table(table).await
    }
}
