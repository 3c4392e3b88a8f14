//! Statements by hand, for what runs so often that each one counts. Every
//! placeholder stands once and in the order of the values, which SQLite and
//! Postgres read alike.

use std::fmt::Write as _;
use std::sync::LazyLock;

use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, QueryResult, Statement, Value};

use crate::Tx;

/// Runs a statement; how many rows it touched.
pub async fn execute(
    tx: &Tx,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, DbErr> {
    let result = tx.execute_raw(statement(tx, sql, values)).await?;
    Ok(result.rows_affected())
}

/// Runs a query; its rows.
pub async fn query(
    tx: &Tx,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    tx.query_all_raw(statement(tx, sql, values)).await
}

/// Runs a query; its first row.
pub async fn query_one(
    tx: &Tx,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>, DbErr> {
    tx.query_one_raw(statement(tx, sql, values)).await
}

fn statement(
    tx: &Tx,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, values)
}

/// `head ($n,$n+1),($n+2,$n+3) tail`: `rows` groups of `columns` placeholders,
/// counted from `first`.
pub fn values_list(head: &str, first: usize, columns: usize, rows: usize, tail: &str) -> String {
    let mut sql = String::with_capacity(head.len() + tail.len() + rows * columns * 5);
    sql.push_str(head);
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ",(" });
        placeholders(&mut sql, first + row * columns, columns);
        sql.push(')');
    }
    sql.push_str(tail);
    sql
}

/// `head ($n,$n+1,…)`: placeholders counted from `first`.
pub fn in_list(head: &str, first: usize, count: usize) -> String {
    values_list(head, first, count, 1, "")
}

/// That a key is among those that `select` chooses by state, up to a limit, for an
/// update that moves them on: `IN (select)`. On Postgres rows that another
/// transaction is about are passed over and not waited for, and an array has the
/// choice made once, where a join could make it again for each row.
pub fn among_free(tx: &Tx, select: &str) -> String {
    match tx.get_database_backend() {
        // Units come one after the other there.
        DbBackend::Sqlite => format!("IN ({select})"),
        _ => format!("= ANY(ARRAY({select} FOR UPDATE SKIP LOCKED))"),
    }
}

/// `$1,$2,…` up to the last that statements usually have, and where each begins:
/// to write numbers would cost more than the rest of a statement's text.
static NUMBERS: LazyLock<(String, Vec<usize>)> = LazyLock::new(|| {
    let mut text = String::from("$0,");
    let mut begins = vec![0];
    for number in 1..=2048 {
        begins.push(text.len());
        // Writing to a string cannot fail.
        let _ = write!(text, "${number},");
    }
    (text, begins)
});

fn placeholders(sql: &mut String, first: usize, count: usize) {
    let (text, begins) = &*NUMBERS;
    let behind = begins.get(first + count);
    let range = begins
        .get(first)
        .zip(behind)
        .map(|(from, to)| *from..to - 1);
    if let Some(known) = range.and_then(|range| text.get(range)) {
        sql.push_str(known);
        return;
    }
    for number in first..first + count {
        let comma = if number == first { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(sql, "{comma}${number}");
    }
}

/// A count or limit as databases take it.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_rise_and_are_used_once() {
        let sql = values_list("INSERT INTO t (a, b) VALUES ", 1, 2, 3, " RETURNING a");
        assert_eq!(
            sql,
            "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4),($5,$6) RETURNING a"
        );
        let sql = values_list("c = $1 AND (a, b) IN (VALUES ", 2, 2, 1, ")");
        assert_eq!(sql, "c = $1 AND (a, b) IN (VALUES ($2,$3))");
        assert_eq!(in_list("a = $1 AND b IN ", 2, 2), "a = $1 AND b IN ($2,$3)");
        assert_eq!(in_list("a IN ", 1, 0), "a IN ()");
        assert_eq!(in_list("a IN ", 2047, 1), "a IN ($2047)");
        assert_eq!(in_list("a IN ", 2047, 3), "a IN ($2047,$2048,$2049)");
    }
}
