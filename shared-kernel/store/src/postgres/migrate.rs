//! Migrations, all in one transaction, by one process at a time. Where none is
//! missing nothing is written, so that a role which may not make tables can serve.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqlxPostgresConnector,
    Statement, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use sqlx::postgres::PgPoolOptions;

use super::fault::server_error;
use super::target::{Purpose, Target};
use crate::OpenError;

/// Waits until nobody else migrates this schema. The lock ends with the transaction.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtext('cleave migrate'), hashtext($1))";

/// Brings the schema up to what `M` knows.
pub(super) async fn migrate<M: MigratorTrait>(
    name: &str,
    target: &Target,
) -> Result<(), OpenError> {
    let pool = pool(target).await?;
    let outcome = match missing::<M>(name, target, &database(&pool)).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => up::<M>(name, target, pool.clone()).await,
        Err(error) => Err(error),
    };
    pool.close().await;
    outcome
}

/// Refuses a schema that is not what `M` knows.
pub(super) async fn verify<M: MigratorTrait>(name: &str, target: &Target) -> Result<(), OpenError> {
    let pool = pool(target).await?;
    let outcome = missing::<M>(name, target, &database(&pool)).await;
    pool.close().await;
    match outcome? {
        None => Ok(()),
        Some(migration) => Err(OpenError::Behind {
            database: name.to_owned(),
            migration,
        }),
    }
}

async fn pool(target: &Target) -> Result<sqlx::PgPool, OpenError> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(target.options(Purpose::Own))
        .await;
    pool.map_err(|error| target.explain(&error))
}

fn database(pool: &sqlx::PgPool) -> DatabaseConnection {
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone())
}

/// The first migration that the schema lacks; refuses one that knows more than `M`.
async fn missing<M: MigratorTrait>(
    name: &str,
    target: &Target,
    connection: &impl ConnectionTrait,
) -> Result<Option<String>, OpenError> {
    let applied = applied(connection, &M::migration_table_name().to_string()).await;
    let applied = applied.map_err(|error| explain(name, target, &error))?;
    let migrations = M::migrations();
    let known = |version: &str| migrations.iter().any(|known| known.name() == version);
    if let Some(unknown) = applied.iter().find(|applied| !known(applied)) {
        return Err(OpenError::Newer {
            database: name.to_owned(),
            migration: unknown.clone(),
        });
    }
    let is_applied = |name: &str| applied.iter().any(|applied| applied == name);
    let lacking = migrations.iter().find(|known| !is_applied(known.name()));
    Ok(lacking.map(|lacking| lacking.name().to_owned()))
}

/// What was applied, asked without a right to make the table that says so.
async fn applied(connection: &impl ConnectionTrait, table: &str) -> Result<Vec<String>, DbErr> {
    let ask = |sql: String| Statement::from_string(DbBackend::Postgres, sql);
    let there = ask(format!(
        "SELECT to_regclass('{table}') IS NOT NULL AS there"
    ));
    let there = connection.query_one_raw(there).await?;
    let there = there.map(|row| row.try_get("", "there")).transpose()?;
    if there != Some(true) {
        return Ok(Vec::new());
    }
    let versions = ask(format!("SELECT version FROM {table} ORDER BY version"));
    let rows = connection.query_all_raw(versions).await?;
    rows.iter().map(|row| row.try_get("", "version")).collect()
}

async fn up<M: MigratorTrait>(
    name: &str,
    target: &Target,
    pool: sqlx::PgPool,
) -> Result<(), OpenError> {
    let failed = |error: DbErr| explain(name, target, &error);
    let transaction = database(&pool).begin().await.map_err(failed)?;
    let alone =
        Statement::from_sql_and_values(DbBackend::Postgres, ALONE, [target.schema.as_str().into()]);
    transaction.execute_raw(alone).await.map_err(failed)?;
    // Another process may have been faster, or have been a newer one.
    missing::<M>(name, target, &transaction).await?;
    M::up(&transaction, None).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

fn explain(name: &str, target: &Target, error: &DbErr) -> OpenError {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) =
        error
    else {
        return OpenError::Migration {
            database: name.to_owned(),
            reason: error.to_string(),
        };
    };
    match server_error(cause) {
        Some(said) if said.code() == "42501" => target.no_right("create tables in"),
        Some(said) if said.code() == "55P03" => OpenError::Migration {
            database: name.to_owned(),
            reason: "another process migrates it, or holds one of its tables; wait for that one or stop it, or allow longer waits by database.postgres.lock_timeout".to_owned(),
        },
        Some(_) => OpenError::Migration {
            database: name.to_owned(),
            reason: cause.to_string(),
        },
        None => target.explain(cause),
    }
}
