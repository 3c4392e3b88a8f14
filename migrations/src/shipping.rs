//! The schema of the shipping context.

use sea_orm_migration::prelude::*;

use crate::kernel;

/// Brings the database of the shipping context up to date.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Foundation),
            Box::new(Shipments),
            Box::new(kernel::leases::LeaseTable),
            Box::new(kernel::streams::StreamTable),
            Box::new(kernel::identity::IdentityTable),
        ]
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

struct Shipments;

impl MigrationName for Shipments {
    fn name(&self) -> &'static str {
        "m20260101_000002_shipments"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Shipments {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(shipments()).await?;
        manager.create_index(shipments_of_a_user()).await?;
        manager.create_index(shipments_due()).await?;
        manager.create_table(carrier_attempts()).await
    }
}

/// A row for each order: its shipment, the carrier's refusal (`refused`), or the
/// tombstone of a cancellation that came before any booking (`void`).
fn shipments() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("shipments")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("order_id").uuid().not_null().unique_key())
        .col(ColumnDef::new("user_id").uuid())
        .col(ColumnDef::new("schedule_key").string().unique_key())
        .col(ColumnDef::new("status").string().not_null())
        .col(ColumnDef::new("carrier").string())
        .col(ColumnDef::new("tracking_number").string())
        .col(ColumnDef::new("refusal").text())
        .col(ColumnDef::new("correlation_id").string())
        .col(ColumnDef::new("due_at").big_integer())
        .col(ColumnDef::new("dispatched_at").big_integer())
        .col(ColumnDef::new("delivered_at").big_integer())
        .col(ColumnDef::new("version").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null());
    table
}

fn shipments_of_a_user() -> IndexCreateStatement {
    Index::create()
        .name("shipments_of_a_user")
        .table("shipments")
        .col("user_id")
        .col("id")
        .take()
}

/// Holds only what the simulated carrier has yet to do, however many shipments
/// there have ever been.
fn shipments_due() -> IndexCreateStatement {
    Index::create()
        .name("shipments_due")
        .table("shipments")
        .col("status")
        .col("due_at")
        .and_where(Expr::col("due_at").is_not_null())
        .take()
}

/// How often the simulated carrier was asked for a booking that it accepts
/// only at the third time.
fn carrier_attempts() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("carrier_attempts")
        .col(ColumnDef::new("key").string().not_null().primary_key())
        .col(ColumnDef::new("attempts").big_integer().not_null());
    table
}
