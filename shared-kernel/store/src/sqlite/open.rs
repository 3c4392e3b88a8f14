//! Opening a file: alone, in WAL mode, with errors that say what to do.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::SharedConnection;
use crate::{OpenError, SqliteOptions};

/// The connections to a file that no other process has.
pub(crate) struct Opened {
    pub(crate) writer: SharedConnection,
    pub(crate) readers: Vec<SharedConnection>,
    /// Held for as long as the store lives; the system lets go of it with the process.
    pub(crate) lock: File,
}

/// Opens `path`, or makes it.
pub(crate) fn open(path: &Path, options: &SqliteOptions) -> Result<Opened, OpenError> {
    let lock = lock(path)?;
    let told = |error: rusqlite::Error| explain(path, &error);
    let writer = connect(path, options).map_err(told)?;
    let readers = (0..options.readers)
        .map(|_| reader(path, options).map_err(told))
        .collect::<Result<_, _>>()?;
    Ok(Opened {
        writer,
        readers,
        lock,
    })
}

/// SQLite's own locks let two processes take turns; a store wants the file alone.
pub(crate) fn lock(path: &Path) -> Result<File, OpenError> {
    let beside = PathBuf::from(format!("{}-lock", path.display()));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside);
    let file = file.map_err(|error| OpenError::Unusable {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(OpenError::Unusable {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

const STATEMENTS: usize = 256;

fn connect(path: &Path, options: &SqliteOptions) -> rusqlite::Result<SharedConnection> {
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let synchronous = if options.durable { "FULL" } else { "NORMAL" };
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = {synchronous};
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{};
         PRAGMA wal_autocheckpoint = {};
         PRAGMA journal_size_limit = 67108864;",
        options.cache_kib, options.checkpoint_pages
    ))?;
    if options.max_pages > 0 {
        connection.execute_batch(&format!("PRAGMA max_page_count = {}", options.max_pages))?;
    }
    // Reading the schema is what tells a damaged file from a sound one.
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    Ok(SharedConnection::new(connection))
}

fn reader(path: &Path, options: &SqliteOptions) -> rusqlite::Result<SharedConnection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(&format!(
        "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{}",
        options.cache_kib
    ))?;
    Ok(SharedConnection::new(connection))
}

/// What a failure to open a file means.
pub(crate) fn explain(path: &Path, error: &rusqlite::Error) -> OpenError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::Corrupt { path, reason }
        }
        _ => OpenError::Unusable { path, reason },
    }
}
