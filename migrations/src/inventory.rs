//! The schema of the inventory context.

use sea_orm_migration::prelude::*;

use crate::kernel;

/// Brings the database of the inventory context up to date.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Foundation)]
    }
}

struct Foundation;

impl MigrationName for Foundation {
    fn name(&self) -> &'static str {
        "m20260101_000001_foundation"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Foundation {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        kernel::messaging::up(manager).await?;
        kernel::idempotency::up(manager).await
    }
}
