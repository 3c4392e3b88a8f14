//! What can go wrong, apart by who can do something about it.

use std::path::PathBuf;

use sea_orm::{DbErr, SqlErr};

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
    /// The database server cannot be reached; nothing of the unit was kept.
    #[error("the database of the store {store} cannot be reached: {reason}")]
    Unreachable {
        /// Which store.
        store: String,
        /// What the system or the server said.
        reason: String,
    },
    /// Other units got in the way each time it was tried; nothing of it was kept.
    #[error("the store {store} is contended: a unit of work was tried {attempts} times")]
    Contended {
        /// Which store.
        store: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// A statement, or its wait for a lock, took longer than it may.
    #[error("the store {store} took too long: {reason}")]
    TimedOut {
        /// Which store.
        store: String,
        /// What the server said.
        reason: String,
    },
    /// The answer to a commit was lost: the unit may be kept, whole, or not at all.
    /// Never tried again by the store; whoever asked must look, or ask with a key.
    #[error("the store {store} lost the answer to a commit: {reason}")]
    Unknown {
        /// Which store.
        store: String,
        /// How it was lost.
        reason: String,
    },
    /// The database said no.
    #[error("database: {0}")]
    Database(#[from] DbErr),
}

impl StoreError {
    /// Whether the store is in trouble, whatever was asked of it, so that to ask
    /// again later may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Busy { .. }
            | Self::Full { .. }
            | Self::Closed { .. }
            | Self::Unreachable { .. }
            | Self::Contended { .. }
            | Self::TimedOut { .. }
            | Self::Unknown { .. } => true,
            Self::Suspended | Self::Panicked(_) | Self::Database(_) => false,
        }
    }

    /// Whether the unit may have been kept all the same.
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }
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
    /// No URL of a Postgres database.
    #[error(
        "it is no URL of a Postgres database ({0}); write it as postgres://user:password@host:5432/database"
    )]
    BadUrl(String),
    /// The server does not answer.
    #[error(
        "{server} cannot be reached ({reason}); start it, or correct the host and port in the URL"
    )]
    Unreachable {
        /// Host, port and database.
        server: String,
        /// What the system said.
        reason: String,
    },
    /// The server's certificate, or ours, is not accepted.
    #[error(
        "no TLS with {server} ({reason}); check sslmode, sslrootcert, sslcert and sslkey in the URL against the server's settings"
    )]
    Tls {
        /// Host, port and database.
        server: String,
        /// What was wrong.
        reason: String,
    },
    /// The user and its password, or certificate, are not accepted.
    #[error(
        "{server} does not let the user {user} in ({reason}); correct the user and password in the URL, or run `cleave migrate --grant` as the owner of the database to make the role"
    )]
    Denied {
        /// Host, port and database.
        server: String,
        /// Who asked.
        user: String,
        /// What the server said.
        reason: String,
    },
    /// The server has no such database.
    #[error("{server} does not exist; create the database, or correct its name in the URL")]
    NoDatabase {
        /// Host, port and database.
        server: String,
    },
    /// The server takes no further connection.
    #[error(
        "{server} has no connection left ({reason}); lower database.postgres.writers and database.postgres.readers of the processes there, or raise max_connections of the server"
    )]
    Crowded {
        /// Host, port and database.
        server: String,
        /// What the server said.
        reason: String,
    },
    /// The database has no schema for the context.
    #[error(
        "{server} has no schema {schema}; run `cleave migrate --grant` as the owner of the database, or correct the URL"
    )]
    NoSchema {
        /// Host, port and database.
        server: String,
        /// The schema's name.
        schema: String,
    },
    /// The role may not use what it must.
    #[error(
        "the user {user} may not {right} the schema {schema} of {server}; run `cleave migrate --grant` as the owner of the database, or grant it by hand"
    )]
    NoRights {
        /// Host, port and database.
        server: String,
        /// Who asked.
        user: String,
        /// What is missing: `use`.
        right: &'static str,
        /// The schema's name.
        schema: String,
    },
    /// The server is older than what this program needs.
    #[error(
        "{server} runs Postgres {found}; this program needs 15 or later: upgrade it, or name another server in the URL"
    )]
    TooOld {
        /// Host, port and database.
        server: String,
        /// Its version.
        found: String,
    },
    /// Another process works on the schema.
    #[error(
        "{} works on the schema {schema} of {server}; stop it, or have both share it: set bus.kind to \"nats\", with one bus.nats.url, in every process", if *shared { "a process that shares with nobody (its bus.kind is \"in_process\")" } else { "another process" }
    )]
    Occupied {
        /// Host, port and database.
        server: String,
        /// The schema's name.
        schema: String,
        /// Whether this process would have shared it.
        shared: bool,
    },
    /// Other processes work on the schema whose events go another way.
    #[error(
        "other processes work on the schema {schema} of {server} over another broker, or under another prefix, where nobody hears what this one would publish; set bus.nats.url and bus.nats.prefix to theirs, or stop them first"
    )]
    OtherBus {
        /// Host, port and database.
        server: String,
        /// The schema's name.
        schema: String,
    },
    /// This machine and the server do not agree about the time.
    #[error(
        "the clock of this machine is {} {} that of {server}, and database.postgres.clock_tolerance allows {}; set both by NTP, or allow more", cleave_vocabulary::duration::format(*by), if *ahead { "ahead of" } else { "behind" }, cleave_vocabulary::duration::format(*tolerance)
    )]
    ClocksApart {
        /// Host, port and database.
        server: String,
        /// By how much.
        by: std::time::Duration,
        /// Whether it is ours that shows more.
        ahead: bool,
        /// What would do.
        tolerance: std::time::Duration,
    },
    /// The server only answers questions.
    #[error(
        "{server} takes no writes (it is a standby, or read-only); name its primary in the URL"
    )]
    ReadOnly {
        /// Host, port and database.
        server: String,
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
    /// It lacks what this version of the program needs.
    #[error("{database} is behind (it lacks the migration {migration}); run `cleave migrate`")]
    Behind {
        /// The database.
        database: String,
        /// The first migration that it lacks.
        migration: String,
    },
    /// It holds part of what is being moved there.
    #[error(
        "{database} holds a copy that is not finished; run the same `cleave move` again, which goes on where it was"
    )]
    HalfMoved {
        /// The database.
        database: String,
    },
    /// Somebody is there who must not be.
    #[error("the schema {schema} of {server} is in use by another process; stop it first")]
    SchemaInUse {
        /// Host, port and database.
        server: String,
        /// The schema's name.
        schema: String,
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
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
        || error.to_string().contains(UNIQUE_VIOLATION)
}

/// What SQLite says of a broken unique constraint.
const UNIQUE_VIOLATION: &str = "UNIQUE constraint failed";
