//! The connection inside a unit of work, as sea-orm sees it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, Value};

use crate::listeners::{Listeners, News};
use crate::postgres::{Fault, Session};
use crate::sqlite::SharedConnection;
use crate::{Change, Journal, StoreError, Unit};

/// Something that whoever is interested wants to hear of after a commit:
/// "the outbox has rows", "a saga may go on". Signals of one name melt together.
pub type Signal = &'static str;

/// What a unit asks to happen once it has committed.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) signals: Vec<Signal>,
    pub(crate) news: Vec<(Signal, News)>,
    pub(crate) actions: Vec<Box<dyn FnOnce() + Send>>,
}

/// How much of each was asked at some moment.
struct Asked {
    signals: usize,
    news: usize,
    actions: usize,
}

impl Effects {
    fn asked(&self) -> Asked {
        Asked {
            signals: self.signals.len(),
            news: self.news.len(),
            actions: self.actions.len(),
        }
    }

    /// Forgets what was asked since.
    fn truncate(&mut self, asked: &Asked) {
        self.signals.truncate(asked.signals);
        self.news.truncate(asked.news);
        self.actions.truncate(asked.actions);
    }
}

/// The connection of one unit of work (or of one read).
///
/// Rows come with their columns by name; a column's place in the row is not
/// kept, so read with `try_get("", "name")`.
///
/// A statement that fails may cost the whole transaction, and on Postgres it
/// does: a unit that wants to go on behind one that may fail runs it in an
/// [`attempt`](Tx::attempt), or writes it so that it does not fail.
pub struct Tx {
    connection: Connection,
    effects: Mutex<Effects>,
    listeners: Arc<Listeners>,
    statements: Arc<AtomicU64>,
    /// The database said that there is no room, whatever the unit made of it.
    full: AtomicBool,
    /// The database has thrown the transaction away: what would run now, would
    /// run outside of any.
    lost: AtomicBool,
}

/// What carries the unit's statements.
enum Connection {
    /// To a file, in the thread that owns it.
    Sqlite(SharedConnection),
    /// To a server.
    Postgres(Session),
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tx")
    }
}

impl Tx {
    pub(crate) fn over_sqlite(
        connection: SharedConnection,
        listeners: Arc<Listeners>,
        statements: Arc<AtomicU64>,
    ) -> Self {
        Self::over(Connection::Sqlite(connection), listeners, statements)
    }

    pub(crate) fn over_postgres(
        session: Session,
        listeners: Arc<Listeners>,
        statements: Arc<AtomicU64>,
    ) -> Self {
        Self::over(Connection::Postgres(session), listeners, statements)
    }

    fn over(connection: Connection, listeners: Arc<Listeners>, statements: Arc<AtomicU64>) -> Self {
        Self {
            connection,
            effects: Mutex::default(),
            listeners,
            statements,
            full: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        }
    }

    /// Forgets the unit before.
    pub(crate) fn begin(&self) {
        drop(self.take_effects());
        self.full.store(false, Ordering::Relaxed);
        self.lost.store(false, Ordering::Relaxed);
    }

    /// Raises a signal once this unit has committed; lost with it if it does not.
    pub fn signal(&self, signal: Signal) {
        let signals = &mut self.effects.lock().signals;
        if !signals.contains(&signal) {
            signals.push(signal);
        }
    }

    /// Whether anybody follows the news of `signal`.
    pub fn is_followed(&self, signal: Signal) -> bool {
        self.listeners.is_followed(signal)
    }

    /// Tells whoever follows `signal` something once this unit has committed, in
    /// the order of the commits; lost with it if it does not.
    pub fn tell<T: Send + 'static>(&self, signal: Signal, news: T) {
        self.effects.lock().news.push((signal, Box::new(news)));
    }

    /// Runs `then` after this unit has committed, on the store's thread: it must
    /// be short and must not block. Dropped if the unit does not commit.
    pub fn after_commit(&self, then: impl FnOnce() + Send + 'static) {
        self.effects.lock().actions.push(Box::new(then));
    }

    /// Runs `part` under a savepoint of its own: where it refuses or fails, its
    /// writes alone are undone and the unit goes on.
    pub async fn attempt<T, R>(
        &self,
        part: impl AsyncFnOnce(&Tx) -> Unit<T, R>,
    ) -> Result<Unit<T, R>, StoreError> {
        let asked = self.effects.lock().asked();
        match &self.connection {
            Connection::Sqlite(connection) => connection.savepoint()?,
            Connection::Postgres(session) => session.savepoint().await?,
        }
        let outcome = part(self).await;
        if outcome.is_err() {
            self.effects.lock().truncate(&asked);
        }
        match &self.connection {
            Connection::Sqlite(connection) => connection.end_savepoint(outcome.is_ok())?,
            Connection::Postgres(session) => session.end_savepoint(outcome.is_ok()).await?,
        }
        Ok(outcome)
    }

    pub(crate) fn take_effects(&self) -> Effects {
        std::mem::take(&mut *self.effects.lock())
    }

    pub(crate) fn was_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Whether a statement is under way, so that the unit waits for the database.
    pub(crate) fn is_waiting(&self) -> bool {
        match &self.connection {
            Connection::Sqlite(_) => false,
            Connection::Postgres(session) => session.is_waiting(),
        }
    }

    /// What ended the transaction before its commit, if anything did.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match &self.connection {
            Connection::Sqlite(_) => None,
            Connection::Postgres(session) => session.fault(),
        }
    }

    /// Puts rows off until the commit.
    pub(crate) fn defer(&self, journal: &'static Journal, values: Vec<Value>) {
        if let Connection::Postgres(session) = &self.connection {
            session.defer(journal, values);
        }
    }

    /// Changes a row on Postgres, or puts that off.
    pub(crate) async fn change(
        &self,
        change: &'static Change,
        values: Vec<Value>,
    ) -> Result<bool, DbErr> {
        match &self.connection {
            Connection::Postgres(session) => {
                let (changed, statements) = session.change(change, values).await?;
                self.statements.fetch_add(statements, Ordering::Relaxed);
                Ok(changed)
            }
            Connection::Sqlite(_) => Err(exec_error("a change for Postgres".to_owned())),
        }
    }

    /// Writes what was put off.
    pub(crate) async fn write_pending(&self) -> Result<(), DbErr> {
        if let Connection::Postgres(session) = &self.connection {
            let statements = session.write_pending().await?;
            self.statements.fetch_add(statements, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether anything would have to be undone; told of Postgres alone.
    pub(crate) fn has_written(&self) -> bool {
        match &self.connection {
            Connection::Sqlite(_) => true,
            Connection::Postgres(session) => session.has_written(),
        }
    }

    fn run_here<T>(
        &self,
        connection: &SharedConnection,
        statement: impl FnOnce(&SharedConnection) -> rusqlite::Result<T>,
        failed: fn(String) -> DbErr,
    ) -> Result<T, DbErr> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(failed("the transaction is lost".to_owned()));
        }
        statement(connection).map_err(|error| {
            let full = crate::sqlite::is_full(&error);
            self.full.fetch_or(full, Ordering::Relaxed);
            self.lost.store(connection.lost(), Ordering::Relaxed);
            failed(error.to_string())
        })
    }

    /// The connection, for one more statement.
    fn counted(&self) -> &Connection {
        self.statements.fetch_add(1, Ordering::Relaxed);
        &self.connection
    }
}

fn exec_error(text: String) -> DbErr {
    DbErr::Exec(sea_orm::RuntimeErr::Internal(text))
}

fn query_error(text: String) -> DbErr {
    DbErr::Query(sea_orm::RuntimeErr::Internal(text))
}

#[async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        match &self.connection {
            Connection::Sqlite(_) => DbBackend::Sqlite,
            Connection::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        match self.counted() {
            Connection::Sqlite(connection) => self
                .run_here(connection, |open| open.execute(&stmt), exec_error)
                .map(Into::into),
            Connection::Postgres(session) => session.execute(stmt).await.map(Into::into),
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self.counted() {
            Connection::Sqlite(connection) => self
                .run_here(connection, |open| open.execute_batch(sql), exec_error)
                .map(Into::into),
            Connection::Postgres(session) => session.execute_batch(sql).await.map(Into::into),
        }
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self.counted() {
            Connection::Sqlite(connection) => {
                let row = self.run_here(connection, |open| open.query(&stmt, 1), query_error)?;
                Ok(row.into_iter().next().map(Into::into))
            }
            Connection::Postgres(session) => Ok(session.query_one(stmt).await?.map(Into::into)),
        }
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self.counted() {
            Connection::Sqlite(connection) => {
                let all = |open: &SharedConnection| open.query(&stmt, usize::MAX);
                let rows = self.run_here(connection, all, query_error)?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
            Connection::Postgres(session) => {
                let rows = session.query_all(stmt).await?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
        }
    }
}
