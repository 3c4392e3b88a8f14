//! A connection that a unit of work and its thread share. sea-orm wants its
//! connections `Sync`; the lock makes it so and is never contended, because
//! only the owning thread runs statements.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};
use sea_orm::{ProxyExecResult, ProxyRow, Statement};

use super::values::{Columns, Parameter};

/// A connection, shared within its thread.
#[derive(Clone)]
pub(crate) struct SharedConnection(Arc<Mutex<Connection>>);

impl std::fmt::Debug for SharedConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedConnection")
    }
}

impl SharedConnection {
    pub(super) fn new(connection: Connection) -> Self {
        Self(Arc::new(Mutex::new(connection)))
    }

    /// The connection itself, where nobody else shares it any more.
    pub(super) fn into_inner(self) -> Option<Connection> {
        Arc::into_inner(self.0).map(Mutex::into_inner)
    }

    pub(super) fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.0.lock().prepare_cached(sql)?.raw_execute().map(drop)
    }

    pub(crate) fn savepoint(&self) -> rusqlite::Result<()> {
        self.run("SAVEPOINT unit")
    }

    /// Keeps or undoes what came since the innermost savepoint. Where SQLite has
    /// rolled the whole transaction back by itself there is nothing left to end.
    pub(crate) fn end_savepoint(&self, keep: bool) -> rusqlite::Result<()> {
        if self.lost() {
            return Ok(());
        }
        if !keep {
            self.run("ROLLBACK TO unit")?;
        }
        self.run("RELEASE unit")
    }

    /// Whether no transaction is open (any more).
    pub(crate) fn lost(&self) -> bool {
        self.0.lock().is_autocommit()
    }

    /// Rows inserted, changed and deleted since the connection was opened.
    pub(super) fn written(&self) -> u64 {
        self.0.lock().total_changes()
    }

    pub(crate) fn execute(&self, statement: &Statement) -> rusqlite::Result<ProxyExecResult> {
        let connection = self.0.lock();
        let mut prepared = connection.prepare_cached(&statement.sql)?;
        bind(&mut prepared, statement)?;
        let rows = if prepared.column_count() == 0 {
            prepared.raw_execute()? as u64
        } else {
            // A statement with RETURNING whose rows nobody wants.
            let mut rows = prepared.raw_query();
            while rows.next()?.is_some() {}
            connection.changes()
        };
        Ok(ProxyExecResult::new(
            connection.last_insert_rowid().cast_unsigned(),
            rows,
        ))
    }

    pub(crate) fn execute_batch(&self, sql: &str) -> rusqlite::Result<ProxyExecResult> {
        let connection = self.0.lock();
        connection.execute_batch(sql)?;
        Ok(ProxyExecResult::new(0, connection.changes()))
    }

    pub(crate) fn query(
        &self,
        statement: &Statement,
        limit: usize,
    ) -> rusqlite::Result<Vec<ProxyRow>> {
        let connection = self.0.lock();
        let mut prepared = connection.prepare_cached(&statement.sql)?;
        bind(&mut prepared, statement)?;
        let columns = Columns::of(&prepared);
        let mut rows = prepared.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            // A statement that writes must be run to its end, whatever is wanted of it.
            if found.len() < limit {
                found.push(columns.row(row)?);
            }
        }
        Ok(found)
    }

    /// Forgets prepared statements, as after a change of the schema.
    pub(super) fn forget_statements(&self) {
        self.0.lock().flush_prepared_statement_cache();
    }
}

fn bind(prepared: &mut rusqlite::Statement<'_>, statement: &Statement) -> rusqlite::Result<()> {
    let values = statement
        .values
        .as_ref()
        .map_or(&[][..], |values| &values.0);
    let expected = prepared.parameter_count();
    if values.len() != expected {
        return Err(rusqlite::Error::InvalidParameterCount(
            values.len(),
            expected,
        ));
    }
    for (place, value) in values.iter().enumerate() {
        prepared.raw_bind_parameter(place + 1, Parameter(value))?;
    }
    Ok(())
}

/// Whether the disk, or the file's page limit, is full.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}
