//! The schema of the notification context.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, string, string_null, text, text_null, uuid, uuid_null,
};

use crate::kernel;

/// Brings the database of the notification context up to date.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Foundation),
            Box::new(Messages),
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

/// Recipients, the messages to them, and the outbox of the simulated mail transport.
struct Messages;

impl MigrationName for Messages {
    fn name(&self) -> &'static str {
        "m20260101_000002_messages"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Messages {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        recipients(manager).await?;
        notifications(manager).await?;
        mail_outbox(manager).await
    }
}

async fn recipients(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("recipients")
        .col(uuid("user_id").primary_key())
        .col(string("email"))
        .col(string("name"))
        .col(big_integer("registered_at"))
        .to_owned();
    manager.create_table(table).await
}

/// A notification bears the id of the event that it tells of, so its primary key
/// is what keeps one event from being told twice. The user comes first in that
/// key because a user's notifications are read as a list: one index serves both.
async fn notifications(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("notifications")
        .col(uuid("user_id"))
        .col(uuid("id"))
        .col(string("kind"))
        .col(string("channel"))
        .col(uuid_null("order_id"))
        .col(text("subject"))
        .col(text("body"))
        .col(string("status"))
        .col(big_integer("attempts"))
        // While queued: not to be sent before this moment.
        .col(big_integer("due_at"))
        .col(text_null("error"))
        .col(string("correlation"))
        .col(string_null("trace"))
        .col(big_integer("created_at"))
        .col(big_integer_null("settled_at"))
        .col(big_integer_null("read_at"))
        .primary_key(Index::create().col("user_id").col("id"))
        .to_owned();
    manager.create_table(table).await?;
    // Holds what waits to be sent and nothing else, so it stays small.
    let due = Index::create()
        .name("notifications_due")
        .table("notifications")
        .col("due_at")
        .and_where(Expr::col("status").eq("queued"))
        .to_owned();
    manager.create_index(due).await
}

/// What the simulated transport has taken over, by the key it was given.
async fn mail_outbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("mail_outbox")
        .col(uuid("key").primary_key())
        .col(string("recipient"))
        .col(text("subject"))
        .col(text("body"))
        .col(big_integer("accepted_at"))
        // How often the same mail was handed over again, and not sent again.
        .col(big_integer("repeats"))
        .to_owned();
    manager.create_table(table).await
}
