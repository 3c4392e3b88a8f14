//! Statements by hand: each placeholder once and in order, which SQLite and
//! Postgres read alike.

use std::fmt::Write as _;

use cleave_store::Tx;
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult, Statement, Value};

fn statement(tx: &Tx, sql: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, values)
}

/// Runs a statement; how many rows it touched.
pub(crate) async fn execute(
    tx: &Tx,
    sql: impl Into<String>,
    values: Vec<Value>,
) -> Result<u64, DbErr> {
    let result = tx.execute_raw(statement(tx, sql, values)).await?;
    Ok(result.rows_affected())
}

/// Runs a query; its rows.
pub(crate) async fn query(
    tx: &Tx,
    sql: impl Into<String>,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    tx.query_all_raw(statement(tx, sql, values)).await
}

/// Runs a query; its first row.
pub(crate) async fn query_one(
    tx: &Tx,
    sql: impl Into<String>,
    values: Vec<Value>,
) -> Result<Option<QueryResult>, DbErr> {
    tx.query_one_raw(statement(tx, sql, values)).await
}

/// `head ($n,$n+1),($n+2,$n+3) tail`: groups of placeholders, counted from `first`.
pub(crate) fn values_list(
    head: &str,
    columns: usize,
    rows: usize,
    first: usize,
    tail: &str,
) -> String {
    let mut sql = String::with_capacity(head.len() + tail.len() + rows * columns * 5);
    sql.push_str(head);
    for row in 0..rows {
        for column in 0..columns {
            let before = match (row, column) {
                (0, 0) => "(",
                (_, 0) => "),(",
                _ => ",",
            };
            // Writing to a string cannot fail.
            let _ = write!(sql, "{before}${}", first + row * columns + column);
        }
    }
    sql.push(')');
    sql.push_str(tail);
    sql
}

/// A count or limit as databases take it.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_rise_and_are_used_once() {
        let sql = values_list("INSERT INTO t (a, b) VALUES ", 2, 2, 1, " RETURNING a");
        assert_eq!(
            sql,
            "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4) RETURNING a"
        );
        let sql = values_list("c = $1 AND (a, b) IN (VALUES ", 2, 1, 2, ")");
        assert_eq!(sql, "c = $1 AND (a, b) IN (VALUES ($2,$3))");
    }
}
