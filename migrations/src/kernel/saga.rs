//! The tables of the saga mechanism. `saga` holds where each saga stands, in
//! one row; `saga_log` what it did, in order. `due_at` is the moment at which
//! someone should look at a saga again: the end of the claim while it is owned,
//! the time of its next attempt while it waits, nothing once it has ended or
//! waits for a person. Both indexes that find work are partial, so that
//! finished sagas cost them nothing.
//!
//! Conditions that each move of a saga is held against say `OR`: for an `IN` of
//! several, SQLite makes a table in passing, three for each move.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Makes them.
pub(crate) async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager.create_table(saga()).await?;
    manager
        .create_table(log(manager.get_database_backend()))
        .await?;
    let subject = Index::create()
        .name("saga_subject")
        .table("saga")
        .col("subject")
        .to_owned();
    manager.create_index(subject).await?;
    let log_of = Index::create()
        .name("saga_log_saga")
        .table("saga_log")
        .col("saga_id")
        .to_owned();
    manager.create_index(log_of).await?;
    // Partial indexes are the same SQL on SQLite and Postgres.
    let database = manager.get_connection();
    database
        .execute_unprepared("CREATE INDEX saga_due ON saga (due_at) WHERE due_at IS NOT NULL")
        .await?;
    database
        .execute_unprepared(
            "CREATE INDEX saga_troubled ON saga (id) \
             WHERE (status = 'compensating' OR status = 'stuck' OR status = 'waiting')",
        )
        .await?;
    Ok(())
}

fn saga() -> TableCreateStatement {
    Table::create()
        .table("saga")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("kind").string().not_null())
        .col(ColumnDef::new("version").big_integer().not_null())
        .col(ColumnDef::new("subject").string().not_null())
        .col(ColumnDef::new("status").string().not_null())
        .col(ColumnDef::new("phase").string().not_null())
        .col(ColumnDef::new("step").big_integer().not_null())
        .col(ColumnDef::new("state").string().not_null())
        .col(ColumnDef::new("attempt").big_integer().not_null())
        .col(ColumnDef::new("tries").big_integer().not_null())
        .col(ColumnDef::new("asked").big_integer().not_null())
        .col(ColumnDef::new("error").text())
        .col(ColumnDef::new("cancel_reason").string())
        .col(ColumnDef::new("data").text().not_null())
        .col(ColumnDef::new("correlation").string().not_null())
        .col(ColumnDef::new("trace").string())
        .col(ColumnDef::new("owner").uuid())
        .col(ColumnDef::new("fence").big_integer().not_null())
        .col(ColumnDef::new("due_at").big_integer())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        // Whoever is neither at an end nor stuck will be looked at again.
        .check(Expr::cust(
            "(due_at IS NULL) = \
             (status = 'compensated' OR status = 'completed' OR status = 'stuck')",
        ))
        .to_owned()
}

/// Without a foreign key: a line is only ever written behind an update of its
/// saga in the same commit, and the check would cost every line a look-up.
fn log(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("saga_log")
        .col(super::rising("seq", backend))
        .col(ColumnDef::new("saga_id").uuid().not_null())
        .col(ColumnDef::new("at").big_integer().not_null())
        .col(ColumnDef::new("phase").string().not_null())
        .col(ColumnDef::new("step").big_integer().not_null())
        .col(ColumnDef::new("name").string().not_null())
        .col(ColumnDef::new("outcome").string().not_null())
        .col(ColumnDef::new("attempt").big_integer().not_null())
        .col(ColumnDef::new("detail").text())
        .to_owned()
}
