//! The schema of the user context.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, string, string_null, text, uuid};

use crate::kernel;

/// Brings the database of the user context up to date.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Foundation),
            Box::new(Accounts),
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

/// Users, their sessions, and the keys that access tokens are signed with.
struct Accounts;

impl MigrationName for Accounts {
    fn name(&self) -> &'static str {
        "m20260101_000002_accounts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Accounts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        users(manager).await?;
        sessions(manager).await?;
        refresh_tokens(manager).await?;
        signing_keys(manager).await
    }
}

async fn users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("users")
        .col(uuid("id").primary_key())
        .col(string("email"))
        // The address in lower case: what uniqueness is judged by.
        .col(string("email_key").unique_key())
        .col(string("password_hash"))
        .col(string("name"))
        .col(string("role"))
        .col(string_null("phone"))
        // An address as JSON; null where there is none.
        .col(text("default_address").null())
        .col(big_integer("version"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .to_owned();
    manager.create_table(table).await
}

/// A session is a family of refresh tokens: each use makes the next one.
async fn sessions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("sessions")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(big_integer("created_at"))
        // When its newest refresh token expires.
        .col(big_integer("expires_at"))
        .col(big_integer_null("ended_at"))
        .col(string_null("end_reason"))
        .foreign_key(
            ForeignKey::create()
                .from("sessions", "user_id")
                .to("users", "id"),
        )
        .to_owned();
    manager.create_table(table).await?;
    // For the sweep of those long past.
    let by_expiry = Index::create()
        .name("sessions_expires_at")
        .table("sessions")
        .col("expires_at")
        .to_owned();
    manager.create_index(by_expiry).await
}

async fn refresh_tokens(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("refresh_tokens")
        // SHA-256 of the token, hexadecimal; the token itself is kept nowhere.
        .col(string("digest").primary_key())
        .col(uuid("session_id"))
        .col(big_integer("issued_at"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("used_at"))
        .foreign_key(
            ForeignKey::create()
                .from("refresh_tokens", "session_id")
                .to("sessions", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned();
    manager.create_table(table).await?;
    let by_session = Index::create()
        .name("refresh_tokens_session")
        .table("refresh_tokens")
        .col("session_id")
        .to_owned();
    manager.create_index(by_session).await
}

async fn signing_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("signing_keys")
        // The RFC 7638 thumbprint of the public key.
        .col(string("kid").primary_key())
        // PKCS#8 in base64.
        .col(text("private_key"))
        .col(big_integer("created_at"))
        .to_owned();
    manager.create_table(table).await
}
