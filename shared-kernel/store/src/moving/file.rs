//! One side of a move that is a SQLite file, held alone for as long as it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File as Lock;
use std::path::{Path, PathBuf};

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{Connection, OpenFlags, Row as Found, ToSql, params_from_iter};
use uuid::Uuid;

use super::plan::{MIGRATIONS, Plan, Table, quoted};
use super::value::{Kind, Row, Value, key_to_text};
use super::{Failed, MARK, Marked};
use crate::{OpenError, sqlite};

/// A file, open and locked.
pub(super) struct File {
    connection: Connection,
    _lock: Lock,
}

impl File {
    /// To read from: one snapshot, and nothing can be written.
    pub(super) fn source(path: &Path) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Self::open(path, flags)?;
        let begun = file.connection.execute_batch("BEGIN");
        begun.map_err(|error| unusable(path, &error))?;
        Ok(file)
    }

    /// To write to. References are checked once, at the end.
    pub(super) fn target(path: &Path) -> Result<Self, OpenError> {
        let log = PathBuf::from(format!("{}-wal", path.display()));
        if !path.exists() && log.metadata().is_ok_and(|log| log.len() > 0) {
            return Err(OpenError::Unusable {
                path: log,
                reason: "it belongs to a database that was put elsewhere; put it beside that one"
                    .to_owned(),
            });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Self::open(path, flags)?;
        let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA journal_size_limit = 67108864";
        let set = file.connection.execute_batch(pragmas);
        set.map_err(|error| unusable(path, &error))?;
        Ok(file)
    }

    fn open(path: &Path, flags: OpenFlags) -> Result<Self, OpenError> {
        let lock = sqlite::lock(path)?;
        let connection = Connection::open_with_flags(path, flags);
        let connection = connection.map_err(|error| unusable(path, &error))?;
        let look = connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()));
        look.map_err(|error| unusable(path, &error))?;
        Ok(Self {
            connection,
            _lock: lock,
        })
    }

    pub(super) fn tables(&self) -> Result<BTreeSet<String>, Failed> {
        const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table' \
             AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        self.words(TABLES, [])
    }

    pub(super) fn applied(&self) -> Result<BTreeSet<String>, Failed> {
        self.words(&format!("SELECT version FROM {MIGRATIONS}"), [])
    }

    fn words(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<BTreeSet<String>, Failed> {
        let mut prepared = self.connection.prepare(sql)?;
        let words = prepared.query_map(parameters, |row| row.get(0))?;
        Ok(words.collect::<Result<_, _>>()?)
    }

    pub(super) fn columns(&self, table: &str) -> Result<BTreeMap<String, Option<Kind>>, Failed> {
        let columns = "SELECT name, type FROM pragma_table_info(?1)";
        let mut prepared = self.connection.prepare(columns)?;
        let column = |row: &Found<'_>| {
            let declared: String = row.get(1)?;
            Ok((row.get(0)?, Kind::of_sqlite(&declared)))
        };
        let columns = prepared.query_map([table], column)?;
        Ok(columns.collect::<Result<_, _>>()?)
    }

    pub(super) fn count(&self, table: &Table) -> Result<u64, Failed> {
        let count = format!("SELECT count(*) FROM {}", quoted(&table.name));
        let rows: i64 = self.connection.query_row(&count, [], |row| row.get(0))?;
        Ok(rows.unsigned_abs())
    }

    pub(super) fn page(&self, table: &Table, behind: Option<&[Value]>) -> Result<Vec<Row>, Failed> {
        let sql = table.select(behind.is_some(), |place| format!("?{place}"));
        let mut prepared = self.connection.prepare_cached(&sql)?;
        let mut rows = prepared.query(params_from_iter(behind.unwrap_or_default()))?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            page.push(read_row(&table.columns, row)?);
        }
        Ok(page)
    }

    /// Marks the file as half of a move, and takes out what the migrations put in.
    pub(super) fn begin(&mut self, plan: &Plan, from: &str) -> Result<(), Failed> {
        let unit = self.connection.transaction()?;
        unit.execute_batch(&format!(
            "CREATE TABLE {MARK} (name varchar PRIMARY KEY, reached text NOT NULL)"
        ))?;
        unit.execute(&format!("INSERT INTO {MARK} VALUES ('', ?1)"), [from])?;
        for table in plan.tables.iter().rev() {
            unit.execute(&format!("DELETE FROM {}", quoted(&table.name)), [])?;
        }
        Ok(unit.commit()?)
    }

    pub(super) fn marked(&self) -> Result<Marked, Failed> {
        let marks = format!("SELECT name, reached FROM {MARK}");
        let mut prepared = self.connection.prepare(&marks)?;
        let marks = prepared.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(marks.collect::<Result<_, _>>()?)
    }

    /// One page, and how far it reaches, in one commit.
    pub(super) fn put(
        &mut self,
        table: &Table,
        page: &[Row],
        last: &[Value],
    ) -> Result<(), Failed> {
        let unit = self.connection.transaction()?;
        let marks: Vec<String> = (1..=table.columns.len())
            .map(|place| format!("?{place}"))
            .collect();
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            quoted(&table.name),
            table.column_names(),
            marks.join(", ")
        );
        let mut prepared = unit.prepare_cached(&insert)?;
        for row in page {
            prepared.execute(params_from_iter(row))?;
        }
        drop(prepared);
        let reached = key_to_text(last);
        let mark = format!(
            "INSERT INTO {MARK} VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET reached = excluded.reached"
        );
        unit.execute(&mark, (&table.name, reached))?;
        Ok(unit.commit()?)
    }

    /// Takes the mark off: from here on it is a database like any other. SQLite
    /// numbers the next row behind the highest that is there.
    pub(super) fn finish(&mut self) -> Result<(), Failed> {
        let broken = "SELECT count(*) FROM pragma_foreign_key_check";
        let broken: i64 = self.connection.query_row(broken, [], |row| row.get(0))?;
        if broken > 0 {
            return Err(Failed::from(format!("{broken} rows refer to none")));
        }
        let sql = format!("DROP TABLE {MARK}");
        self.connection.execute_batch(&sql)?;
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.query_row(checkpoint, [], |_| Ok(()))?;
        Ok(())
    }
}

fn unusable(path: &Path, error: &rusqlite::Error) -> OpenError {
    sqlite::explain(path, error)
}

/// The file's path from the root, so that two ways of writing it are one.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let whole = path.canonicalize();
    whole.unwrap_or_else(|_| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

pub(super) fn read_row(columns: &[(String, Kind)], row: &Found<'_>) -> Result<Row, Failed> {
    let value = |(place, (name, kind)): (usize, &(String, Kind))| {
        let value = row.get_ref(place)?;
        read(*kind, value).ok_or_else(|| {
            Failed::from(format!(
                "the column {name} holds a value of type {}",
                value.data_type()
            ))
        })
    };
    columns.iter().enumerate().map(value).collect()
}

fn read(kind: Kind, value: ValueRef<'_>) -> Option<Value> {
    Some(match (kind, value) {
        (_, ValueRef::Null) => Value::Null,
        (Kind::Boolean, ValueRef::Integer(value @ 0..=1)) => Value::Boolean(value == 1),
        (Kind::Integer, ValueRef::Integer(value)) => Value::Integer(value),
        (Kind::Text, ValueRef::Text(text)) => Value::Text(str::from_utf8(text).ok()?.to_owned()),
        (Kind::Uuid, ValueRef::Blob(bytes)) => Value::Uuid(Uuid::from_slice(bytes).ok()?),
        (Kind::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
        _ => return None,
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Owned::Null),
            Self::Boolean(value) => ToSqlOutput::Owned(Owned::Integer((*value).into())),
            Self::Integer(value) => ToSqlOutput::Owned(Owned::Integer(*value)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Uuid(uuid) => ToSqlOutput::Borrowed(ValueRef::Blob(uuid.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}
