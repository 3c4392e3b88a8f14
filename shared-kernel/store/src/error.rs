//! What can go wrong, apart by who can do something about it.

use std::path::PathBuf;

use sea_orm::DbErr;

/// How a unit of work ended without a value.
#[derive(Debug, thiserror::Error)]
pub enum UnitError<R> {
    /// The unit's own answer was no; nothing of it was kept.
    #[error("refused")]
    Refused(R),
    /// The store could not do it; nothing of it was kept.
    #[error(transparent)]
    Failed(StoreError),
}

impl<R> From<DbErr> for UnitError<R> {
    fn from(error: DbErr) -> Self {
        Self::Failed(StoreError::Database(error))
    }
}

impl<R> From<StoreError> for UnitError<R> {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl<R> UnitError<R> {
    /// The same failure beside a refusal of another type.
    pub fn map_refusal<S>(self, map: impl FnOnce(R) -> S) -> UnitError<S> {
        match self {
            Self::Refused(refusal) => UnitError::Refused(map(refusal)),
            Self::Failed(error) => UnitError::Failed(error),
        }
    }
}

impl UnitError<std::convert::Infallible> {
    /// The failure, where the unit had nothing to refuse.
    pub fn into_store_error(self) -> StoreError {
        match self {
            Self::Refused(never) => match never {},
            Self::Failed(error) => error,
        }
    }
}

/// A failure of the store itself.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The queue of units is full: come back later.
    #[error("the store {store} is busy: {queued} units of work are waiting already")]
    Busy {
        /// Which store.
        store: String,
        /// How many units wait.
        queued: usize,
    },
    /// The disk, or the file's page limit, is full.
    #[error("no room is left for the store {store}")]
    Full {
        /// Which store.
        store: String,
    },
    /// The store was closed.
    #[error("the store {store} is closed")]
    Closed {
        /// Which store.
        store: String,
    },
    /// The unit awaited something else than its own connection: a defect of the caller.
    #[error("a unit of work awaited something other than its connection; it was rolled back")]
    Suspended,
    /// The unit panicked: a defect of the caller.
    #[error("a unit of work panicked and was rolled back: {0}")]
    Panicked(String),
    /// The database said no.
    #[error("database: {0}")]
    Database(#[from] DbErr),
}

/// Why a store could not be opened. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the file.
    #[error("{} is in use by another process; stop it, or choose another folder with data_dir (--data-dir)", .0.display())]
    InUse(PathBuf),
    /// Not to be read or written.
    #[error("{}: {reason}; check the folder named by data_dir (--data-dir)", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Not a database, or a damaged one.
    #[error("{} is damaged or not a database ({reason}); restore it from a backup, or move it away to start empty", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The disk is full, or the file may not grow; the database is as it was before.
    #[error("no room is left for {} ({reason}); make room there", path.display())]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// Written by a later version of the program.
    #[error(
        "{database} was written by a newer version of this program (it knows the migration {migration}); start that version, or restore a backup"
    )]
    Newer {
        /// The database.
        database: String,
        /// The migration that this program does not have.
        migration: String,
    },
    /// A migration failed; the database is as it was before it.
    #[error("migrating {database} failed: {reason}")]
    Migration {
        /// The database.
        database: String,
        /// What the database said.
        reason: String,
    },
}

/// Whether a statement broke a unique constraint. sea-orm's own `sql_err`
/// knows only the drivers of sqlx.
pub fn is_unique_violation(error: &DbErr) -> bool {
    let text = error.to_string();
    text.contains(UNIQUE_VIOLATION) || text.contains("duplicate key value")
}

/// What SQLite says of a broken unique constraint.
const UNIQUE_VIOLATION: &str = "UNIQUE constraint failed";
