//! The store of one context.

use std::path::PathBuf;
use std::sync::Arc;

use sea_orm_migration::MigratorTrait;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::{OpenError, Signal, StoreError, Tx, Unit};

/// How a SQLite store is run; the settings of `database.sqlite`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteOptions {
    /// Units of work that may wait for the writer; one more is refused as busy.
    pub write_queue: usize,
    /// Units that share a commit, at the most.
    pub group_limit: usize,
    /// Connections that read beside the writer.
    pub readers: usize,
    /// Queries that may wait for a reader.
    pub read_queue: usize,
    /// Wait for the disk at each commit (`synchronous = FULL`), so that what was
    /// acknowledged survives a power cut. Off: it survives a crash of the program alone.
    pub durable: bool,
    /// Pages that the file may grow to; 0 for no limit but the disk.
    pub max_pages: u32,
    /// Page cache of each connection, KiB.
    pub cache_kib: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            write_queue: 4096,
            group_limit: 256,
            readers: 1,
            read_queue: 1024,
            durable: true,
            max_pages: 0,
            cache_kib: 4096,
        }
    }
}

/// What the writer did since it started: the cost of work, countable.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WriteStats {
    /// Units of work that committed.
    pub units: u64,
    /// Commits that they shared.
    pub commits: u64,
    /// Statements inside units.
    pub statements: u64,
}

/// What the readers did since they started.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReadStats {
    /// Queries answered.
    pub reads: u64,
    /// Statements inside them.
    pub statements: u64,
}

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreHealth {
    /// It takes work.
    Ready,
    /// It does not; why.
    Failing(String),
}

/// The database of one context. Cheap to clone; closed by [`Store::close`].
#[derive(Clone)]
pub struct Store {
    inner: Arc<()>, // the implementer decides
}

impl Store {
    /// Opens (or makes) the SQLite file at `path`, alone: a second process is
    /// refused with [`OpenError::InUse`]. `name` stands in messages and metrics.
    pub fn open_sqlite(
        _name: &str,
        _path: PathBuf,
        _options: SqliteOptions,
    ) -> Result<Self, OpenError> {
        todo!()
    }

    /// Brings the schema up to what `M` knows; refuses a database that knows more.
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), OpenError> {
        todo!()
    }

    /// The name given when it was opened.
    pub fn name(&self) -> &str {
        todo!()
    }

    /// Runs a unit of work and commits it, together with others that wait. It
    /// runs to its end even when the caller goes away. The closure may run more
    /// than once (a database may ask for a retry), so it must not consume what it
    /// captured, and it may await nothing but `tx`.
    pub async fn write<T, R, F>(&self, unit: F) -> Unit<T, R>
    where
        F: AsyncFn(&Tx) -> Unit<T, R> + Send + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        let _ = unit;
        todo!()
    }

    /// Runs a query beside the writer, over one snapshot of what is committed.
    pub async fn read<T, R, F>(&self, query: F) -> Unit<T, R>
    where
        F: AsyncFn(&Tx) -> Unit<T, R> + Send + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        let _ = query;
        todo!()
    }

    /// Notified after each commit with a unit that raised `signal`. Notifications
    /// melt together; look for work before the first wait.
    pub fn on(&self, _signal: Signal) -> Arc<Notify> {
        todo!()
    }

    /// The writer's counts.
    pub fn write_stats(&self) -> WriteStats {
        todo!()
    }

    /// The readers' counts.
    pub fn read_stats(&self) -> ReadStats {
        todo!()
    }

    /// Whether it takes work.
    pub fn health(&self) -> StoreHealth {
        todo!()
    }

    /// Finishes what is queued, checkpoints and closes. Later calls get `Closed`.
    pub async fn close(&self) -> Result<(), StoreError> {
        let _ = &self.inner;
        todo!()
    }
}
