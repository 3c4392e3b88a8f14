//! Rows that are only ever added: of an outbox, of a log.

use std::sync::OnceLock;

use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, Statement, Value};

use crate::Tx;
use crate::sql::{in_list, values_list};

/// A table whose rows the database numbers, to which units add rows that nothing
/// can refuse.
///
/// On SQLite a row is written at once. On Postgres, where each statement is a way
/// to the server and back, rows are written before the commit, those of all units
/// that share it by one statement; a statement that names the table finds them.
#[derive(Debug)]
pub struct Journal {
    pub(crate) table: &'static str,
    columns: &'static [&'static str],
    /// The statements for the first few numbers of rows.
    known: OnceLock<Vec<String>>,
}

/// Rows in one statement whose text is kept.
const FEW: usize = 4;

impl Journal {
    /// Over these columns, in the order in which their values come.
    pub const fn new(table: &'static str, columns: &'static [&'static str]) -> Self {
        Self {
            table,
            columns,
            known: OnceLock::new(),
        }
    }

    /// Adds rows, given one behind the other. Returns the number of the last, where
    /// it is known; the others have those before it. Numbers rise in the order of
    /// the commits: a store that can't promise that returns `None`.
    pub async fn append(&'static self, tx: &Tx, values: Vec<Value>) -> Result<Option<i64>, DbErr> {
        if values.is_empty() {
            return Ok(None);
        }
        if tx.get_database_backend() == DbBackend::Postgres {
            tx.defer(self, values);
            return Ok(None);
        }
        let statement = self.statement(values);
        let added = tx.execute_raw(statement).await?;
        Ok(i64::try_from(added.last_insert_id()).ok())
    }

    /// How many values a row has.
    pub const fn width(&self) -> usize {
        self.columns.len()
    }

    /// The statement for any number of rows: a list of values to each column.
    pub(crate) fn insert_lists(&self) -> String {
        self.insert() + &in_list("SELECT * FROM unnest", 1, self.width())
    }

    fn insert(&self) -> String {
        format!("INSERT INTO {} ({}) ", self.table, self.columns.join(", "))
    }

    fn statement(&self, values: Vec<Value>) -> Statement {
        let insert = |rows: usize| {
            let head = self.insert() + "VALUES ";
            values_list(&head, 1, self.width(), rows, "")
        };
        let rows = values.len() / self.width();
        let known = self.known.get_or_init(|| (0..=FEW).map(insert).collect());
        let sql = known.get(rows).cloned().unwrap_or_else(|| insert(rows));
        Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
    }
}
