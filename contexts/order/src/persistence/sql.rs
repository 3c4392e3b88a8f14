//! Statements, as the store takes them.

use cleave_store::Tx;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

fn statement(tx: &Tx, sql: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, values)
}

/// Runs a statement; how many rows it touched.
pub(super) async fn execute(
    tx: &Tx,
    sql: impl Into<String>,
    values: Vec<Value>,
) -> Result<u64, DbErr> {
    let done = tx.execute_raw(statement(tx, sql, values)).await?;
    Ok(done.rows_affected())
}

/// The first row, if any.
pub(super) async fn query_one(
    tx: &Tx,
    sql: impl Into<String>,
    values: Vec<Value>,
) -> Result<Option<QueryResult>, DbErr> {
    tx.query_one_raw(statement(tx, sql, values)).await
}

/// Every row.
pub(super) async fn query_all(
    tx: &Tx,
    sql: impl Into<String>,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    tx.query_all_raw(statement(tx, sql, values)).await
}

/// A value of ours that cannot be kept or read back: a defect, or a database
/// that someone else wrote to.
pub(super) fn corrupt(what: &str, why: impl std::fmt::Display) -> DbErr {
    DbErr::Custom(format!("{what}: {why}"))
}
