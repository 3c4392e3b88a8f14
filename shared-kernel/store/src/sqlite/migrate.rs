//! Migrations, run in the writer's thread over sea-orm's proxy connection,
//! all in one transaction.

use std::sync::Arc;

use async_trait::async_trait;
use futures::executor::block_on;
use sea_orm::{
    Database, DbBackend, DbErr, ProxyDatabaseTrait, ProxyExecResult, ProxyRow, RuntimeErr,
    Statement,
};
use sea_orm_migration::MigratorTrait;

use super::SharedConnection;
use crate::OpenError;

/// Brings the schema up to what `M` knows.
pub(crate) fn migrate<M: MigratorTrait>(
    name: &str,
    connection: &SharedConnection,
) -> Result<(), OpenError> {
    let failed = |reason: String| OpenError::Migration {
        database: name.to_owned(),
        reason,
    };
    connection
        .run("BEGIN IMMEDIATE")
        .map_err(|error| failed(error.to_string()))?;
    let outcome = block_on(up::<M>(name, connection.clone()));
    let end = if outcome.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    let ended = connection
        .run(end)
        .map_err(|error| failed(error.to_string()));
    connection.forget_statements();
    outcome.and(ended)
}

async fn up<M: MigratorTrait>(name: &str, connection: SharedConnection) -> Result<(), OpenError> {
    let failed = |error: DbErr| OpenError::Migration {
        database: name.to_owned(),
        reason: error.to_string(),
    };
    let proxy: Box<dyn ProxyDatabaseTrait> = Box::new(Proxy(connection));
    let database = Database::connect_proxy(DbBackend::Sqlite, Arc::new(proxy))
        .await
        .map_err(failed)?;
    let known: Vec<String> = M::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    let applied = M::get_migration_models(&database).await.map_err(failed)?;
    if let Some(unknown) = applied
        .iter()
        .find(|applied| !known.contains(&applied.version))
    {
        return Err(OpenError::Newer {
            database: name.to_owned(),
            migration: unknown.version.clone(),
        });
    }
    M::up(&database, None).await.map_err(failed)
}

/// The writer's connection as sea-orm's migrations want it. They run within
/// the transaction that is already open, so theirs are no-ops.
#[derive(Debug)]
struct Proxy(SharedConnection);

fn internal(error: &rusqlite::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::Internal(error.to_string()))
}

#[async_trait]
impl ProxyDatabaseTrait for Proxy {
    async fn query(&self, statement: Statement) -> Result<Vec<ProxyRow>, DbErr> {
        self.0
            .query(&statement, usize::MAX)
            .map_err(|error| internal(&error))
    }

    async fn execute(&self, statement: Statement) -> Result<ProxyExecResult, DbErr> {
        self.0.execute(&statement).map_err(|error| internal(&error))
    }
}
