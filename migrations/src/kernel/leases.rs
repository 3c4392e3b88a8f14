//! The table of the lease mechanism: who does what only one process may do at a
//! time, under which token, and until when.

use sea_orm_migration::prelude::*;

#[derive(DeriveIden)]
enum Leases {
    Table,
    Name,
    Holder,
    Token,
    HeldUntil,
}

/// Makes it.
pub(crate) struct LeaseTable;

impl MigrationName for LeaseTable {
    fn name(&self) -> &'static str {
        "m20260102_000001_leases"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for LeaseTable {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Leases::Table)
            .col(
                ColumnDef::new(Leases::Name)
                    .string()
                    .not_null()
                    .primary_key(),
            )
            .col(ColumnDef::new(Leases::Holder).string().not_null())
            .col(ColumnDef::new(Leases::Token).big_integer().not_null())
            .col(ColumnDef::new(Leases::HeldUntil).big_integer().not_null())
            .to_owned();
        manager.create_table(table).await
    }
}
