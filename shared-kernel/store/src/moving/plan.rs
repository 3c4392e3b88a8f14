//! What a context's database looks like, learnt from the migrations themselves:
//! they are run once over a database in memory, and that is read. So a table
//! that is added tomorrow moves without a line here.

use std::collections::BTreeSet;

use rusqlite::Connection;
use sea_orm_migration::MigratorTrait;

use super::file::read_row;
use super::value::{Digest, Kind};
use super::{Failed, MoveError};
use crate::sqlite;

/// Where sea-orm notes the migrations that were run.
pub(super) const MIGRATIONS: &str = "seaql_migrations";

/// A table: its columns, and which of them are its key.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<(String, Kind)>,
    /// Places among `columns`.
    pub(super) key: Vec<usize>,
    /// What the migrations put into it.
    pub(super) seed: Digest,
    /// The tables that it refers to.
    refers: BTreeSet<String>,
}

/// Rows in one page at the most, and values.
const ROWS: usize = 1000;
const VALUES: usize = 16_000;

impl Table {
    pub(super) fn page(&self) -> usize {
        (VALUES / self.columns.len().max(1)).clamp(1, ROWS)
    }

    pub(super) fn key_kinds(&self) -> impl Iterator<Item = Kind> {
        self.key.iter().map(|place| self.columns[*place].1)
    }

    pub(super) fn column_names(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| quoted(name)).collect();
        names.join(", ")
    }

    fn key_names(&self) -> String {
        let names = self.key.iter().map(|place| quoted(&self.columns[*place].0));
        names.collect::<Vec<_>>().join(", ")
    }

    /// A page in the order of the key: the first, or what comes behind a key.
    pub(super) fn select(&self, behind: bool, placeholder: impl Fn(usize) -> String) -> String {
        let (columns, name, key) = (self.column_names(), quoted(&self.name), self.key_names());
        let range = if behind {
            let marks: Vec<String> = (1..=self.key.len()).map(placeholder).collect();
            format!("WHERE ({key}) > ({}) ", marks.join(", "))
        } else {
            String::new()
        };
        let limit = self.page();
        format!("SELECT {columns} FROM {name} {range}ORDER BY {key} LIMIT {limit}")
    }
}

/// A name as both databases take it, whatever word it is.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// Everything that is to be copied.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) context: String,
    /// Tables behind those that they refer to.
    pub(super) tables: Vec<Table>,
    /// The migrations that the program knows.
    pub(super) known: BTreeSet<String>,
}

impl Plan {
    pub(super) fn of<M: MigratorTrait>(context: &str) -> Result<Self, MoveError> {
        let empty = sqlite::in_memory::<M>(context)?;
        let tables = tables(&empty).map_err(|error| {
            MoveError::Unfit(format!(
                "the tables of {context} can't be copied by this program: {error}"
            ))
        })?;
        let known = M::migrations()
            .iter()
            .map(|migration| migration.name().to_owned())
            .collect();
        Ok(Self {
            context: context.to_owned(),
            tables: by_reference(tables),
            known,
        })
    }
}

fn tables(connection: &Connection) -> Result<Vec<Table>, Failed> {
    const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'seaql_migrations' ORDER BY name";
    let mut prepared = connection.prepare(TABLES)?;
    let names = prepared.query_map([], |row| row.get(0))?;
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    names
        .into_iter()
        .map(|name| table(connection, name))
        .collect()
}

fn table(connection: &Connection, name: String) -> Result<Table, Failed> {
    let mut prepared = connection.prepare("SELECT name, type, pk FROM pragma_table_info(?1)")?;
    let found = prepared.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let found: Vec<(String, String, i64)> = found.collect::<Result<_, _>>()?;
    let mut key: Vec<(i64, usize)> = Vec::new();
    let mut columns = Vec::new();
    for (place, (column, declared, pk)) in found.into_iter().enumerate() {
        let unknown = || Failed::from(format!("{name}.{column} is of the type {declared}"));
        let kind = Kind::of_sqlite(&declared).ok_or_else(unknown)?;
        if pk > 0 {
            key.push((pk, place));
        }
        columns.push((column, kind));
    }
    if key.is_empty() {
        return Err(Failed::from(format!("{name} has no primary key")));
    }
    key.sort_unstable();
    let mut prepared = connection.prepare("SELECT \"table\" FROM pragma_foreign_key_list(?1)")?;
    let refers = prepared.query_map([&name], |row| row.get(0))?;
    let refers = refers.collect::<Result<_, _>>()?;
    let mut table = Table {
        name,
        columns,
        key: key.into_iter().map(|(_, place)| place).collect(),
        seed: Digest::default(),
        refers,
    };
    let mut prepared = connection.prepare(&table.select(false, |_| String::new()))?;
    let mut rows = prepared.query([])?;
    while let Some(row) = rows.next()? {
        table.seed.add(&read_row(&table.columns, row)?);
    }
    drop(rows);
    drop(prepared);
    Ok(table)
}

/// Each behind those that it refers to. Were there a circle, its tables would
/// come in the order of their names, and the database would say so.
fn by_reference(mut left: Vec<Table>) -> Vec<Table> {
    let mut ordered: Vec<Table> = Vec::new();
    while !left.is_empty() {
        let ready = |table: &Table| {
            let there = |name: &String| {
                *name == table.name || ordered.iter().any(|before| before.name == *name)
            };
            table.refers.iter().all(there)
        };
        let next = left.iter().position(ready).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}
