//! Migrations, all in one transaction, by one process at a time.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, RuntimeErr, SqlxPostgresConnector, Statement,
    TransactionTrait,
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
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(target.options(Purpose::Own))
        .await
        .map_err(|error| target.explain(&error))?;
    let outcome = up::<M>(name, target, pool.clone()).await;
    pool.close().await;
    outcome
}

async fn up<M: MigratorTrait>(
    name: &str,
    target: &Target,
    pool: sqlx::PgPool,
) -> Result<(), OpenError> {
    let failed = |error: DbErr| explain(name, target, &error);
    let database = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    let transaction = database.begin().await.map_err(failed)?;
    let alone =
        Statement::from_sql_and_values(DbBackend::Postgres, ALONE, [target.schema.as_str().into()]);
    transaction.execute_raw(alone).await.map_err(failed)?;
    let applied = M::get_migration_models(&transaction)
        .await
        .map_err(failed)?;
    let migrations = M::migrations();
    let unknown = applied.iter().find(|applied| {
        migrations
            .iter()
            .all(|known| known.name() != applied.version)
    });
    if let Some(unknown) = unknown {
        return Err(OpenError::Newer {
            database: name.to_owned(),
            migration: unknown.version.clone(),
        });
    }
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
        Some(_) => OpenError::Migration {
            database: name.to_owned(),
            reason: cause.to_string(),
        },
        None => target.explain(cause),
    }
}
