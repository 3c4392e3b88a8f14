//! Rows of journals that are still to be written: before the commit, by one
//! statement for each table, or before a statement that may look for them.

use parking_lot::Mutex;
use sea_orm::{DbErr, Value};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;

use crate::Journal;
use crate::journal::Kind;

/// What one transaction has put off.
#[derive(Default)]
pub(crate) struct Pending {
    added: Mutex<Vec<Rows>>,
}

/// Values of rows, one behind the other.
pub(super) struct Rows {
    journal: &'static Journal,
    values: Vec<Value>,
}

impl Pending {
    pub(super) fn add(&self, journal: &'static Journal, mut values: Vec<Value>) {
        let mut added = self.added.lock();
        let mut known = added.iter_mut();
        match known.find(|rows| std::ptr::eq(rows.journal, journal)) {
            Some(rows) => rows.values.append(&mut values),
            None => added.push(Rows { journal, values }),
        }
    }

    /// Whether a statement may look for what is still to be written.
    pub(super) fn concerns(&self, sql: &str) -> bool {
        let added = self.added.lock();
        added.iter().any(|rows| sql.contains(rows.journal.table))
    }

    /// All of it; whoever takes it writes it, or undoes what it belongs to.
    pub(super) fn take(&self) -> Vec<Rows> {
        std::mem::take(&mut *self.added.lock())
    }
}

impl Rows {
    /// One statement whatever the number of rows, so that the server has it planned:
    /// a list of values to each column.
    pub(super) fn insert(self) -> Result<Query<'static, Postgres, PgArguments>, DbErr> {
        let columns = self.journal.columns;
        let lists: Vec<_> = (1..=columns.len())
            .map(|place| format!("${place}"))
            .collect();
        let sql = format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({})",
            self.journal.table,
            self.journal.names(),
            lists.join(", ")
        );
        let mut lists: Vec<List> = columns.iter().map(|(_, kind)| List::of(*kind)).collect();
        let mut lacking = false;
        let places = (0..columns.len()).cycle();
        for (place, value) in places.zip(self.values) {
            lacking |= !lists[place].push(value);
        }
        if lacking {
            let misfit = format!(
                "a value that its column of {} can't hold",
                self.journal.table
            );
            return Err(DbErr::Type(misfit));
        }
        let insert = sqlx::query(AssertSqlSafe(sql));
        Ok(lists
            .into_iter()
            .fold(insert, |insert, list| list.bind(insert)))
    }
}

/// One column's values.
enum List {
    Integer(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Uuid(Vec<Option<uuid::Uuid>>),
}

impl List {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Integer => Self::Integer(Vec::new()),
            Kind::Text => Self::Text(Vec::new()),
            Kind::Uuid => Self::Uuid(Vec::new()),
        }
    }

    /// False where the value is of another kind.
    fn push(&mut self, value: Value) -> bool {
        match (self, value) {
            (Self::Integer(list), Value::BigInt(value)) => list.push(value),
            (Self::Text(list), Value::String(value)) => list.push(value),
            (Self::Uuid(list), Value::Uuid(value)) => list.push(value),
            _ => return false,
        }
        true
    }

    fn bind(
        self,
        insert: Query<'static, Postgres, PgArguments>,
    ) -> Query<'static, Postgres, PgArguments> {
        match self {
            Self::Integer(list) => insert.bind(list),
            Self::Text(list) => insert.bind(list),
            Self::Uuid(list) => insert.bind(list),
        }
    }
}
