//! Statements that change one row, and nearly always do.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, Statement, Value};

use crate::Tx;
use crate::sql::in_list;

/// A guarded change of one row: an insert that gives way to a row that is there, or
/// an update that names the state it starts from.
///
/// On SQLite it runs at once. On Postgres, where each statement is a way to the
/// server and back, a unit that shares its transaction with others is told at once
/// that its row was changed, as nearly always it is; the changes of all units run
/// before the commit, alike ones by one statement. Where a row then turns out not to
/// have been changed, nothing of the group is kept, and its units run again, each
/// alone and told the truth. A statement that names the table comes behind them, so
/// a unit sees what it has changed.
///
/// What a change makes of a row depends on its values and on that row alone.
#[derive(Debug)]
pub struct Change {
    pub(crate) table: &'static str,
    /// The place of the value that names the row.
    pub(crate) key: usize,
    /// How many values it takes.
    pub(crate) width: usize,
    /// The statement for one row: a value to each placeholder.
    pub(crate) one: String,
    /// The statement for any number of rows: a list of values to each placeholder.
    pub(crate) many: String,
}

impl Change {
    /// `INSERT INTO table (columns) VALUES (…) rest`; the first column is its key.
    pub fn insert(table: &'static str, columns: &str, rest: &str) -> Self {
        let width = columns.split(',').count();
        let into = format!("INSERT INTO {table} ({columns})");
        let lists = in_list("SELECT * FROM unnest", 1, width);
        Self {
            table,
            key: 0,
            width,
            one: in_list(&format!("{into} VALUES "), 1, width) + " " + rest,
            many: format!("{into} {lists} {rest}"),
        }
    }

    /// `UPDATE table SET set WHERE column = $place AND guard`, where `key` is that
    /// column and place. Each of the `width` placeholders stands once.
    pub fn update(
        table: &'static str,
        width: usize,
        set: &str,
        key: (&str, usize),
        guard: &str,
    ) -> Self {
        let (column, place) = key;
        let guard = if guard.is_empty() { "true" } else { guard };
        let lists = in_list("unnest", 1, width);
        let names: Vec<_> = (1..=width).map(|place| format!("c{place}")).collect();
        Self {
            table,
            key: place - 1,
            width,
            one: format!("UPDATE {table} SET {set} WHERE {column} = ${place} AND {guard}"),
            many: format!(
                "UPDATE {table} SET {} FROM {lists} AS v({}) WHERE {column} = v.c{place} AND {}",
                of_list(set),
                names.join(", "),
                of_list(guard)
            ),
        }
    }

    /// Changes the row; false where it was not to be changed.
    pub async fn run(
        &'static self,
        tx: &Tx,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<bool, DbErr> {
        let values: Vec<Value> = values.into_iter().collect();
        debug_assert_eq!(values.len(), self.width, "{}", self.one);
        if tx.get_database_backend() == DbBackend::Postgres {
            return tx.change(self, values).await;
        }
        let done = tx.execute_raw(self.statement(DbBackend::Sqlite, values));
        Ok(done.await?.rows_affected() == 1)
    }

    /// The statement for one row.
    pub(crate) fn statement(&self, backend: DbBackend, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(backend, self.one.as_str(), values)
    }
}

/// The text with each placeholder `$n` as the column `v.cn` of the list.
fn of_list(text: &str) -> String {
    let mut parts = text.split('$');
    let mut list = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Writing to a string cannot fail.
        let _ = write!(list, "v.c{part}");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_takes_lists_of_values() {
        let change = Change::insert("t", "a, b", "ON CONFLICT (a) DO NOTHING");
        assert_eq!(
            change.one,
            "INSERT INTO t (a, b) VALUES ($1,$2) ON CONFLICT (a) DO NOTHING"
        );
        assert_eq!(
            change.many,
            "INSERT INTO t (a, b) SELECT * FROM unnest($1,$2) ON CONFLICT (a) DO NOTHING"
        );
    }

    #[test]
    fn an_update_joins_lists_of_values() {
        let change = Change::update("t", 3, "a = $1", ("id", 2), "b = $3 AND c IN ('x')");
        assert_eq!(
            change.one,
            "UPDATE t SET a = $1 WHERE id = $2 AND b = $3 AND c IN ('x')"
        );
        assert_eq!(
            change.many,
            "UPDATE t SET a = v.c1 FROM unnest($1,$2,$3) AS v(c1, c2, c3) \
             WHERE id = v.c2 AND b = v.c3 AND c IN ('x')"
        );
    }
}
