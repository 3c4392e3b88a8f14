//! Statements by hand: placeholders, and values out of rows. Each placeholder
//! is used once and in the order of the values, so that every database reads
//! the same text.

use std::fmt::Write as _;

use cleave_store::Tx;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

/// A statement for the database that `tx` belongs to.
pub(super) fn statement(tx: &Tx, sql: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, values)
}

/// `($1, $2), ($3, $4)`: placeholders for `rows` rows of `columns` values.
pub(super) fn tuples(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let comma = if column == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}${}", row * columns + column + 1);
        }
        text.push(')');
    }
    text
}

/// `($1, $2, $3)`: placeholders for a list.
pub(super) fn list(count: usize) -> String {
    tuples(1, count)
}

/// A value that the database keeps, and that means nothing here: a defect, or
/// another hand in the database.
pub(super) fn nonsense(what: &str) -> DbErr {
    DbErr::Type(format!("the database holds what is no {what}"))
}

/// The column `name` of a row.
pub(super) fn column<T: sea_orm::TryGetable>(row: &QueryResult, name: &str) -> Result<T, DbErr> {
    row.try_get("", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_through() {
        assert_eq!(tuples(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(list(2), "($1, $2)");
    }
}
