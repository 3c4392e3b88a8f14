//! Migrations, run in the writer's thread over sea-orm's proxy connection,
//! all in one transaction.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::executor::block_on;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};
use sea_orm::{
    ConnectionTrait, Database, DbBackend, DbErr, ProxyDatabaseTrait, ProxyExecResult, ProxyRow,
    RuntimeErr, Statement,
};
use sea_orm_migration::MigratorTrait;

use super::SharedConnection;
use crate::OpenError;
use crate::moving::MARK;

/// Brings the schema of the file at `path` up to what `M` knows.
pub(crate) fn migrate<M: MigratorTrait>(
    name: &str,
    path: &Path,
    connection: &SharedConnection,
) -> Result<(), OpenError> {
    let proxy = Proxy {
        connection: connection.clone(),
        met: Arc::default(),
    };
    let met = proxy.met.clone();
    let failed = |reason: String| explained(*met.lock(), name, path, reason);
    proxy.run("BEGIN IMMEDIATE").map_err(failed)?;
    let outcome = block_on(up::<M>(name, proxy.clone(), failed));
    let end = if outcome.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    let ended = proxy.run(end).map_err(failed);
    connection.forget_statements();
    outcome.and(ended)
}

/// A database in memory with the schema that `M` makes, for whoever wants to know it.
pub(crate) fn in_memory<M: MigratorTrait>(name: &str) -> Result<Connection, OpenError> {
    let failed = |reason: String| OpenError::Migration {
        database: name.to_owned(),
        reason,
    };
    let connection = Connection::open_in_memory().map_err(|error| failed(error.to_string()))?;
    let shared = SharedConnection::new(connection);
    migrate::<M>(name, Path::new(":memory:"), &shared)?;
    let shared = shared.into_inner();
    shared.ok_or_else(|| failed("its connection is still in use".to_owned()))
}

/// What a migration met that may not be its own fault: a file that is damaged
/// behind its first page, or a disk without room.
fn explained(met: Option<ErrorCode>, name: &str, path: &Path, reason: String) -> OpenError {
    let path = path.to_owned();
    match met {
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt { path, reason },
        Some(ErrorCode::DiskFull) => OpenError::NoRoom { path, reason },
        _ => OpenError::Migration {
            database: name.to_owned(),
            reason,
        },
    }
}

async fn up<M: MigratorTrait>(
    name: &str,
    proxy: Proxy,
    failed: impl Fn(String) -> OpenError,
) -> Result<(), OpenError> {
    let failed = |error: DbErr| failed(error.to_string());
    let proxy: Box<dyn ProxyDatabaseTrait> = Box::new(proxy);
    let database = Database::connect_proxy(DbBackend::Sqlite, Arc::new(proxy))
        .await
        .map_err(failed)?;
    let marks = format!("SELECT name FROM sqlite_master WHERE name = '{MARK}'");
    let mark = Statement::from_string(DbBackend::Sqlite, marks);
    if database
        .query_one_raw(mark)
        .await
        .map_err(failed)?
        .is_some()
    {
        return Err(OpenError::HalfMoved {
            database: name.to_owned(),
        });
    }
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
#[derive(Debug, Clone)]
struct Proxy {
    connection: SharedConnection,
    /// SQLite's code for what failed last, which sea-orm's errors can't carry.
    met: Arc<Mutex<Option<ErrorCode>>>,
}

impl Proxy {
    fn run(&self, sql: &str) -> Result<(), String> {
        let ran = self.connection.run(sql);
        ran.map_err(|error| self.told(&error))
    }

    fn told(&self, error: &rusqlite::Error) -> String {
        *self.met.lock() = error.sqlite_error_code();
        error.to_string()
    }

    fn internal(&self, error: &rusqlite::Error) -> DbErr {
        DbErr::Exec(RuntimeErr::Internal(self.told(error)))
    }
}

#[async_trait]
impl ProxyDatabaseTrait for Proxy {
    async fn query(&self, statement: Statement) -> Result<Vec<ProxyRow>, DbErr> {
        self.connection
            .query(&statement, usize::MAX)
            .map_err(|error| self.internal(&error))
    }

    async fn execute(&self, statement: Statement) -> Result<ProxyExecResult, DbErr> {
        self.connection
            .execute(&statement)
            .map_err(|error| self.internal(&error))
    }
}
