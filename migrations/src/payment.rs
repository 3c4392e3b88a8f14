//! The schema of the payment context, and that of the books which the
//! simulated gateway keeps for itself, in a database of its own.

use sea_orm_migration::prelude::*;

use crate::kernel;

/// Brings the database of the payment context up to date.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Foundation),
            Box::new(Payments),
            Box::new(kernel::leases::LeaseTable),
            Box::new(kernel::streams::StreamTable),
            Box::new(kernel::identity::IdentityTable),
            Box::new(GatewayBooksBeside),
        ]
    }
}

/// Brings the books of the simulated gateway up to date.
pub struct SimulatedGatewayMigrator;

#[async_trait::async_trait]
impl MigratorTrait for SimulatedGatewayMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(GatewayBooks)]
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

struct Payments;

impl MigrationName for Payments {
    fn name(&self) -> &'static str {
        "m20260101_000002_payments"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Payments {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(payments()).await?;
        manager.create_index(payments_of_a_user()).await?;
        manager.create_table(refunds()).await?;
        manager.create_index(refunds_of_a_payment()).await?;
        manager.create_index(refunds_under_way()).await
    }
}

/// A row for each order: its payment with its one charge, or (with status
/// `void` and the nullable columns empty) the tombstone of a refund that came
/// before any charge.
fn payments() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("payments")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("order_id").uuid().not_null().unique_key())
        .col(ColumnDef::new("user_id").uuid())
        .col(ColumnDef::new("status").string().not_null())
        .col(ColumnDef::new("charge_key").string().unique_key())
        .col(ColumnDef::new("transaction_id").uuid())
        .col(ColumnDef::new("method").string())
        .col(ColumnDef::new("charge_amount").big_integer())
        .col(ColumnDef::new("currency").string())
        .col(count("refunded_amount"))
        .col(count("refunding_amount"))
        .col(ColumnDef::new("gateway_reference").string())
        .col(ColumnDef::new("failure_code").string())
        .col(ColumnDef::new("failure_message").text())
        .col(ColumnDef::new("version").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        .check(
            Expr::col("refunded_amount")
                .add(Expr::col("refunding_amount"))
                .lte(Expr::col("charge_amount")),
        );
    table
}

fn payments_of_a_user() -> IndexCreateStatement {
    Index::create()
        .name("payments_of_a_user")
        .table("payments")
        .col("user_id")
        .col("id")
        .take()
}

fn refunds() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("refunds")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("payment_id").uuid().not_null())
        .col(ColumnDef::new("key").string().not_null().unique_key())
        .col(ColumnDef::new("fingerprint").string().not_null())
        .col(ColumnDef::new("amount").big_integer().not_null())
        .col(ColumnDef::new("currency").string().not_null())
        .col(ColumnDef::new("reason").text().not_null())
        .col(ColumnDef::new("status").string().not_null())
        .col(ColumnDef::new("gateway_reference").string())
        .col(ColumnDef::new("correlation_id").string().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        .foreign_key(
            ForeignKey::create()
                .from("refunds", "payment_id")
                .to("payments", "id"),
        );
    table
}

fn refunds_of_a_payment() -> IndexCreateStatement {
    Index::create()
        .name("refunds_of_a_payment")
        .table("refunds")
        .col("payment_id")
        .take()
}

fn refunds_under_way() -> IndexCreateStatement {
    Index::create()
        .name("refunds_under_way")
        .table("refunds")
        .col("created_at")
        .and_where(Expr::col("status").eq(Expr::cust("'pending'")))
        .take()
}

struct GatewayBooks;

impl MigrationName for GatewayBooks {
    fn name(&self) -> &'static str {
        "m20260101_000001_gateway_books"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for GatewayBooks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(gateway_charges()).await?;
        manager.create_table(gateway_refunds()).await
    }
}

/// On a server every replica of the context has to find the books of the one
/// gateway that they share, and no other place there is theirs. Beside a file of
/// the books' own these tables stay empty: the same tables are everywhere.
struct GatewayBooksBeside;

impl MigrationName for GatewayBooksBeside {
    fn name(&self) -> &'static str {
        "m20260102_000002_simulated_gateway"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for GatewayBooksBeside {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        GatewayBooks.up(manager).await
    }
}

/// The reference is made from the key, so that one index serves both.
fn gateway_charges() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("gateway_charges")
        .col(
            ColumnDef::new("reference")
                .string()
                .not_null()
                .primary_key(),
        )
        .col(ColumnDef::new("key").string().not_null())
        .col(ColumnDef::new("amount").big_integer().not_null())
        .col(ColumnDef::new("currency").string().not_null())
        .col(ColumnDef::new("outcome").string().not_null())
        .col(ColumnDef::new("message").text())
        .col(count("attempts"))
        .col(count("refunded_amount"))
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .check(Expr::col("refunded_amount").lte(Expr::col("amount")));
    table
}

fn gateway_refunds() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("gateway_refunds")
        .col(
            ColumnDef::new("reference")
                .string()
                .not_null()
                .primary_key(),
        )
        .col(ColumnDef::new("charge_reference").string().not_null())
        .col(ColumnDef::new("amount").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null());
    table
}

fn count(name: &'static str) -> ColumnDef {
    ColumnDef::new(name)
        .big_integer()
        .not_null()
        .default(0)
        .take()
}
