//! Rows of `shipments`, and nothing of them beyond this folder. A guarded write
//! names in SQL the state that it may leave, so that of two who race one wins
//! and the other learns of it.

pub(crate) mod attempts;
pub(crate) mod due;
pub(crate) mod shipments;

use cleave_store::Tx;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

async fn run(tx: &Tx, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, DbErr> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

async fn rows(
    tx: &Tx,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    tx.query_all_raw(statement).await
}

/// A row that this program cannot have written.
fn corrupt(what: impl std::fmt::Display) -> DbErr {
    DbErr::Type(what.to_string())
}
