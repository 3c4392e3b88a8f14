//! The schema of the order context.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::kernel;

/// Brings the database of the order context up to date.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Foundation),
            Box::new(OrderTables),
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
        kernel::saga::up(manager).await
    }
}

struct OrderTables;

impl MigrationName for OrderTables {
    fn name(&self) -> &'static str {
        "m20260101_000002_orders"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for OrderTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(orders()).await?;
        let mut view = order_view();
        let mut observed = order_observed();
        if manager.get_database_backend() == DbBackend::Sqlite {
            // Small rows that are only ever found by their key.
            view.extra("WITHOUT ROWID");
            observed.extra("WITHOUT ROWID");
        }
        manager.create_table(view).await?;
        manager.create_table(observed).await?;
        for (name, column) in [
            ("order_view_user", OrderView::UserId),
            ("order_view_status", OrderView::Status),
        ] {
            let index = Index::create()
                .name(name)
                .table(OrderView::Table)
                .col(column)
                .col(OrderView::OrderId)
                .to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Orders {
    Table,
    Id,
    UserId,
    Status,
    Items,
    TotalAmount,
    Currency,
    PaymentMethod,
    ShippingAddress,
    PaymentId,
    PaymentStatus,
    ShipmentId,
    ShipmentStatus,
    TrackingNumber,
    CancelReason,
    CancelDetail,
    Version,
    CreatedAt,
    UpdatedAt,
}

/// The orders. The lines are JSON in their order's row: they are written once,
/// read with it, and never asked for alone.
fn orders() -> TableCreateStatement {
    Table::create()
        .table(Orders::Table)
        .col(ColumnDef::new(Orders::Id).uuid().not_null().primary_key())
        .col(ColumnDef::new(Orders::UserId).uuid().not_null())
        .col(ColumnDef::new(Orders::Status).string().not_null())
        .col(ColumnDef::new(Orders::Items).text().not_null())
        .col(ColumnDef::new(Orders::TotalAmount).big_integer().not_null())
        .col(ColumnDef::new(Orders::Currency).string().not_null())
        .col(ColumnDef::new(Orders::PaymentMethod).string().not_null())
        .col(ColumnDef::new(Orders::ShippingAddress).text().not_null())
        .col(ColumnDef::new(Orders::PaymentId).uuid().null())
        .col(ColumnDef::new(Orders::PaymentStatus).string().null())
        .col(ColumnDef::new(Orders::ShipmentId).uuid().null())
        .col(ColumnDef::new(Orders::ShipmentStatus).string().null())
        .col(ColumnDef::new(Orders::TrackingNumber).string().null())
        .col(ColumnDef::new(Orders::CancelReason).string().null())
        .col(ColumnDef::new(Orders::CancelDetail).text().null())
        .col(ColumnDef::new(Orders::Version).big_integer().not_null())
        .col(ColumnDef::new(Orders::CreatedAt).big_integer().not_null())
        .col(ColumnDef::new(Orders::UpdatedAt).big_integer().not_null())
        .to_owned()
}

#[derive(DeriveIden)]
enum OrderView {
    Table,
    OrderId,
    UserId,
    Status,
    UpdatedAt,
}

/// The read model that lists are made from: whose order, and how far it has come.
fn order_view() -> TableCreateStatement {
    Table::create()
        .table(OrderView::Table)
        .col(
            ColumnDef::new(OrderView::OrderId)
                .uuid()
                .not_null()
                .primary_key(),
        )
        .col(ColumnDef::new(OrderView::UserId).uuid().not_null())
        .col(ColumnDef::new(OrderView::Status).string().not_null())
        .col(
            ColumnDef::new(OrderView::UpdatedAt)
                .big_integer()
                .not_null(),
        )
        .to_owned()
}

#[derive(DeriveIden)]
enum OrderObserved {
    Table,
    OrderId,
    Seq,
    EventId,
    EventType,
    CausedBy,
    OccurredAt,
    RecordedAt,
    Data,
}

/// What other contexts said about an order, numbered for each order.
fn order_observed() -> TableCreateStatement {
    Table::create()
        .table(OrderObserved::Table)
        .col(ColumnDef::new(OrderObserved::OrderId).uuid().not_null())
        .col(ColumnDef::new(OrderObserved::Seq).big_integer().not_null())
        .col(ColumnDef::new(OrderObserved::EventId).uuid().not_null())
        .col(ColumnDef::new(OrderObserved::EventType).string().not_null())
        .col(
            ColumnDef::new(OrderObserved::OccurredAt)
                .big_integer()
                .not_null(),
        )
        .col(ColumnDef::new(OrderObserved::CausedBy).string().null())
        .col(
            ColumnDef::new(OrderObserved::RecordedAt)
                .big_integer()
                .not_null(),
        )
        .col(ColumnDef::new(OrderObserved::Data).text().not_null())
        .primary_key(
            Index::create()
                .name("order_observed_key")
                .col(OrderObserved::OrderId)
                .col(OrderObserved::Seq),
        )
        .to_owned()
}
