//! The schema of the inventory context.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::kernel;

/// Brings the database of the inventory context up to date.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Foundation),
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
        kernel::idempotency::up(manager).await?;
        let mut stock = stock();
        if manager.get_database_backend() == DbBackend::Sqlite {
            // Small rows that are only ever found by their key.
            stock.extra("WITHOUT ROWID");
        }
        for table in [products(), stock, adjustments(), reservations()] {
            manager.create_table(table).await?;
        }
        for index in [reservations_by_key(), held_by_expiry()] {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn products() -> TableCreateStatement {
    Table::create()
        .table("products")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("sku").string().not_null().unique_key())
        .col(ColumnDef::new("name").text().not_null())
        .col(ColumnDef::new("description").text())
        .col(ColumnDef::new("price_amount").big_integer().not_null())
        .col(ColumnDef::new("price_currency").string().not_null())
        // `sku` and `name` in lower case, for the search.
        .col(ColumnDef::new("search_text").text().not_null())
        .col(ColumnDef::new("version").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        .take()
}

/// Beside the products and not in them: every order moves these rows, and small
/// ones make small commits.
fn stock() -> TableCreateStatement {
    let reserved = || Expr::col("reserved");
    Table::create()
        .table("stock")
        .col(ColumnDef::new("product_id").uuid().not_null().primary_key())
        .col(ColumnDef::new("on_hand").big_integer().not_null())
        .col(ColumnDef::new("reserved").big_integer().not_null())
        .check(reserved().gte(0).and(reserved().lte(Expr::col("on_hand"))))
        .foreign_key(
            ForeignKey::create()
                .name("fk_stock_product")
                .from("stock", "product_id")
                .to("products", "id"),
        )
        .take()
}

fn adjustments() -> TableCreateStatement {
    Table::create()
        .table("stock_adjustments")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("product_id").uuid().not_null())
        .col(ColumnDef::new("delta").big_integer().not_null())
        .col(ColumnDef::new("reason").text().not_null())
        .col(ColumnDef::new("adjusted_by").uuid().not_null())
        .col(ColumnDef::new("on_hand_after").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .foreign_key(
            ForeignKey::create()
                .name("fk_stock_adjustments_product")
                .from("stock_adjustments", "product_id")
                .to("products", "id"),
        )
        .take()
}

/// One row for each order that ever asked. `id` is null where nothing was ever
/// held, `lines` and the keys where there was no such command.
fn reservations() -> TableCreateStatement {
    let is = |state| Expr::col("state").eq(state);
    // Not `IN`, for which SQLite would make a table in passing at each change.
    let known = is("held")
        .or(is("taken"))
        .or(is("released"))
        .or(is("expired"))
        .or(is("refused"));
    Table::create()
        .table("reservations")
        .col(ColumnDef::new("order_id").uuid().not_null().primary_key())
        .col(ColumnDef::new("id").uuid())
        .col(ColumnDef::new("state").string().not_null())
        .col(ColumnDef::new("lines").text())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .col(ColumnDef::new("reserve_key").string())
        .col(ColumnDef::new("refusal").text())
        .col(ColumnDef::new("take_key").string())
        .col(ColumnDef::new("correlation").string().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("changed_at").big_integer().not_null())
        .check(known)
        .take()
}

/// A command is known by its key: when it comes again, and when its outcome is
/// asked for.
fn reservations_by_key() -> IndexCreateStatement {
    Index::create()
        .name("ux_reservations_reserve_key")
        .table("reservations")
        .col("reserve_key")
        .unique()
        .take()
}

/// Only what is held can expire: a finished reservation leaves this index.
fn held_by_expiry() -> IndexCreateStatement {
    Index::create()
        .name("ix_reservations_held")
        .table("reservations")
        .col("expires_at")
        .and_where(Expr::col("state").eq("held"))
        .take()
}
