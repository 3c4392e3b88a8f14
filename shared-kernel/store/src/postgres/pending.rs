//! What units of one transaction have put off: it is written before the commit, alike
//! rows by one statement, or before a statement that may look for them.

use parking_lot::Mutex;
use sea_orm::{DbErr, Value};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;

use crate::{Change, Journal};

/// What one transaction has put off.
#[derive(Default)]
pub(crate) struct Pending {
    added: Mutex<Vec<Rows>>,
}

/// Values of rows of one kind, one behind the other.
pub(super) struct Rows {
    of: Of,
    values: Vec<Value>,
}

/// What rows are written by.
#[derive(Clone, Copy)]
enum Of {
    Change(&'static Change),
    Journal(&'static Journal),
}

impl Pending {
    /// Puts rows of a journal off.
    pub(super) fn add(&self, journal: &'static Journal, values: Vec<Value>) {
        put(&mut self.added.lock(), Of::Journal(journal), values);
    }

    /// Puts a change off; gives it back where its row waits for another one, which has
    /// to come first.
    pub(super) fn change(
        &self,
        change: &'static Change,
        values: Vec<Value>,
    ) -> Result<(), Vec<Value>> {
        let mut added = self.added.lock();
        let key = values.get(change.key);
        if key.is_some_and(|key| added.iter().any(|rows| rows.has(change.table, key))) {
            return Err(values);
        }
        put(&mut added, Of::Change(change), values);
        Ok(())
    }

    /// Whether a statement may look for what is still to be written.
    pub(super) fn concerns(&self, sql: &str) -> bool {
        let added = self.added.lock();
        added.iter().any(|rows| sql.contains(rows.of.table()))
    }

    /// All of it; whoever takes it writes it, or undoes what it belongs to. Changes
    /// come first: what is noted in journals is numbered by those who hold the rows.
    pub(super) fn take(&self) -> Vec<Rows> {
        let mut rows = std::mem::take(&mut *self.added.lock());
        rows.sort_by_key(|rows| matches!(rows.of, Of::Journal(_)));
        rows
    }
}

fn put(added: &mut Vec<Rows>, of: Of, mut values: Vec<Value>) {
    match added.iter_mut().find(|rows| rows.of.is(of)) {
        Some(rows) => rows.values.append(&mut values),
        None => added.push(Rows { of, values }),
    }
}

impl Of {
    fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Change(one), Self::Change(other)) => std::ptr::eq(one, other),
            (Self::Journal(one), Self::Journal(other)) => std::ptr::eq(one, other),
            _ => false,
        }
    }

    const fn table(self) -> &'static str {
        match self {
            Self::Change(change) => change.table,
            Self::Journal(journal) => journal.table,
        }
    }

    const fn width(self) -> usize {
        match self {
            Self::Change(change) => change.width,
            Self::Journal(journal) => journal.width(),
        }
    }
}

impl Rows {
    /// Whether one of them is the row of this key.
    fn has(&self, table: &str, key: &Value) -> bool {
        let Of::Change(change) = self.of else {
            return false;
        };
        let mut keys = self.values.iter().skip(change.key).step_by(change.width);
        change.table == table && keys.any(|known| known == key)
    }

    fn count(&self) -> usize {
        self.values.len() / self.of.width()
    }

    /// How many rows the statement has to change for all to be well, if that is known.
    pub(super) fn expected(&self) -> Option<u64> {
        match self.of {
            Of::Change(_) => u64::try_from(self.count()).ok(),
            Of::Journal(_) => None,
        }
    }

    /// One statement whatever the number of rows, so that the server has it planned:
    /// a list of values to each column. One row is changed by the plain statement.
    pub(super) fn statement(self) -> Result<Query<'static, Postgres, PgArguments>, DbErr> {
        let (table, width) = (self.of.table(), self.of.width());
        let sql = match self.of {
            Of::Change(change) => change.many.clone(),
            Of::Journal(journal) => journal.insert_lists(),
        };
        let mut lists: Vec<List> = Vec::with_capacity(width);
        let rows = self.count();
        let mut lacking = false;
        for (place, value) in self.values.into_iter().enumerate() {
            if place < width {
                lists.extend(List::of(&value, rows));
            }
            let list = lists.get_mut(place % width);
            lacking |= !list.is_some_and(|list| list.push(value));
        }
        if lacking {
            let misfit = format!("values of one column of {table} that are not of one type");
            return Err(DbErr::Type(misfit));
        }
        let statement = sqlx::query(AssertSqlSafe(sql));
        Ok(lists
            .into_iter()
            .fold(statement, |statement, list| list.bind(statement)))
    }
}

/// One column's values.
enum List {
    Boolean(Vec<Option<bool>>),
    Integer(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Uuid(Vec<Option<uuid::Uuid>>),
}

impl List {
    /// For values like this one; none where no column holds such.
    fn of(value: &Value, rows: usize) -> Option<Self> {
        Some(match value {
            Value::Bool(_) => Self::Boolean(Vec::with_capacity(rows)),
            Value::BigInt(_) => Self::Integer(Vec::with_capacity(rows)),
            Value::String(_) => Self::Text(Vec::with_capacity(rows)),
            Value::Uuid(_) => Self::Uuid(Vec::with_capacity(rows)),
            _ => return None,
        })
    }

    /// False where the value is of another type.
    fn push(&mut self, value: Value) -> bool {
        match (self, value) {
            (Self::Boolean(list), Value::Bool(value)) => list.push(value),
            (Self::Integer(list), Value::BigInt(value)) => list.push(value),
            (Self::Text(list), Value::String(value)) => list.push(value),
            (Self::Uuid(list), Value::Uuid(value)) => list.push(value),
            _ => return false,
        }
        true
    }

    fn bind(
        self,
        statement: Query<'static, Postgres, PgArguments>,
    ) -> Query<'static, Postgres, PgArguments> {
        match self {
            Self::Boolean(list) => statement.bind(list),
            Self::Integer(list) => statement.bind(list),
            Self::Text(list) => statement.bind(list),
            Self::Uuid(list) => statement.bind(list),
        }
    }
}
