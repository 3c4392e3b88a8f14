//! SQL by hand for the statements that run for every event: one statement for
//! many rows, each placeholder once and in order, which SQLite and Postgres
//! read alike.

use cleave_store::Tx;
use cleave_vocabulary::Envelope;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

/// Rows that one statement may write; far below every database's limit of parameters.
pub(crate) const ROWS: usize = 256;

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

/// `head ($1,$2),($3,$4) tail`: `rows` groups of `columns` placeholders.
pub(crate) fn values_list(head: &str, columns: usize, rows: usize, tail: &str) -> String {
    let mut sql = String::with_capacity(head.len() + tail.len() + rows * columns * 5);
    sql.push_str(head);
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ",(" });
        placeholders(&mut sql, row * columns + 1, columns);
        sql.push(')');
    }
    sql.push_str(tail);
    sql
}

/// `head ($n,$n+1,…)`, the placeholders starting with `first`.
pub(crate) fn in_list(head: &str, first: usize, count: usize) -> String {
    let mut sql = String::with_capacity(head.len() + count * 5 + 2);
    sql.push_str(head);
    sql.push('(');
    placeholders(&mut sql, first, count);
    sql.push(')');
    sql
}

fn placeholders(sql: &mut String, first: usize, count: usize) {
    use std::fmt::Write as _;
    for number in first..first + count {
        let comma = if number == first { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(sql, "{comma}${number}");
    }
}

/// The envelope as it is kept.
pub(crate) fn to_text(event: &Envelope) -> Result<String, DbErr> {
    let bad = |error: &dyn std::fmt::Display| DbErr::Json(error.to_string());
    let mut text = Vec::with_capacity(ATTRIBUTES + event.data.get().len());
    serde_json::to_writer(&mut text, event).map_err(|error| bad(&error))?;
    String::from_utf8(text).map_err(|error| bad(&error))
}

/// What an envelope takes in bytes beside its data, or a little more.
const ATTRIBUTES: usize = 512;

/// The envelope that was kept.
pub(crate) fn from_text(text: &str) -> Result<Envelope, DbErr> {
    serde_json::from_str(text).map_err(|error| DbErr::Json(error.to_string()))
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
        assert_eq!(
            values_list(
                "INSERT INTO t (a, b) VALUES ",
                2,
                3,
                " ON CONFLICT DO NOTHING"
            ),
            "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4),($5,$6) ON CONFLICT DO NOTHING"
        );
        assert_eq!(in_list("a = $1 AND b IN ", 2, 2), "a = $1 AND b IN ($2,$3)");
    }
}
