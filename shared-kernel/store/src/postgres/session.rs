//! One transaction on one connection, as the unit inside it uses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sea_orm::{DbBackend, DbErr, RuntimeErr, Statement, Value, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::postgres::{PgConnection, PgQueryResult, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor};

use super::Fault;
use super::fault::misfit;
use super::pending::Pending;
use crate::hub::Hub;
use crate::{Change, Journal, StoreError};

/// A connection, shared by the lane that owns it with the unit that runs on it.
/// sea-orm wants connections `Sync`; only a unit that joins two statements waits
/// for the lock.
pub(super) type Link = Arc<tokio::sync::Mutex<PgConnection>>;

/// A connection, and what the transaction on it has put off.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) link: Link,
    pub(super) pending: Arc<Pending>,
    pub(super) extent: Extent,
}

/// How much runs on a connection before it is somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// One statement without a transaction.
    Single,
    /// A transaction of one unit.
    Alone,
    /// A transaction that several may share.
    Group,
}

/// The transaction of one unit.
pub(crate) struct Session {
    open: Open,
    /// Statements that have run.
    run: AtomicUsize,
    /// Statements that wait for the server.
    under_way: AtomicUsize,
    fault: Mutex<Option<Fault>>,
    /// Whether a statement may have changed something.
    written: AtomicBool,
    /// How long the server may take to answer.
    limit: Duration,
    /// Who hears of a schema that does not fit.
    hub: Arc<Hub>,
}

impl Open {
    pub(super) fn new(link: Link, extent: Extent) -> Self {
        Self {
            link,
            pending: Arc::default(),
            extent,
        }
    }
}

/// Counts a statement as under way, however it ends.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Session {
    pub(super) fn new(open: Open, limit: Duration, hub: Arc<Hub>) -> Self {
        Self {
            open,
            limit,
            hub,
            run: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            fault: Mutex::new(None),
            written: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// What ended the transaction, if anything did.
    pub(crate) fn fault(&self) -> Option<Fault> {
        *self.fault.lock()
    }

    /// Whether anything would have to be undone.
    pub(crate) fn has_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }

    fn writes(&self, if_so: bool) {
        self.written.fetch_or(if_so, Ordering::Relaxed);
    }

    /// Rows that are written before the commit, if nothing asks for them sooner.
    pub(crate) fn defer(&self, journal: &'static Journal, values: Vec<Value>) {
        self.writes(true);
        self.open.pending.add(journal, values);
    }

    /// Changes a row, or puts that off; and how many statements that took.
    pub(crate) async fn change(
        &self,
        change: &'static Change,
        values: Vec<Value>,
    ) -> Result<(bool, u64), DbErr> {
        if self.open.extent != Extent::Group {
            let statement = change.statement(DbBackend::Postgres, values);
            let done = self.execute(statement).await?;
            return Ok((done.rows_affected() == 1, 1));
        }
        self.writes(true);
        let mut statements = 0;
        if let Err(values) = self.open.pending.change(change, values) {
            statements = self.write_pending().await?;
            // Nothing waits any more that could be in its way.
            drop(self.open.pending.change(change, values));
        }
        Ok((true, statements))
    }

    /// Writes what was put off; how many statements it took.
    pub(crate) async fn write_pending(&self) -> Result<u64, DbErr> {
        let mut statements = 0;
        for rows in self.open.pending.take() {
            let expected = rows.expected();
            let statement = rows.statement().inspect_err(|_| {
                self.fault.lock().get_or_insert(Fault::Statement);
            })?;
            let run = async |open: &mut PgConnection| statement.execute(open).await;
            let done = self.run(run, DbErr::Exec).await?;
            if expected.is_some_and(|rows| rows != done.rows_affected()) {
                self.fault.lock().get_or_insert(Fault::Misjudged);
                let other = "a row that was to be changed was another by then";
                return Err(DbErr::Exec(RuntimeErr::Internal(other.to_owned())));
            }
            statements += 1;
        }
        Ok(statements)
    }

    async fn write_what_concerns(&self, sql: &str) -> Result<(), DbErr> {
        if self.open.pending.concerns(sql) {
            self.write_pending().await?;
        }
        Ok(())
    }

    pub(crate) async fn execute(&self, statement: Statement) -> Result<PgQueryResult, DbErr> {
        self.write_what_concerns(&statement.sql).await?;
        let run = async |open: &mut PgConnection| query(statement).execute(open).await;
        let done = self.run(run, DbErr::Exec).await?;
        self.writes(done.rows_affected() > 0);
        Ok(done)
    }

    pub(crate) async fn execute_batch(&self, sql: &str) -> Result<PgQueryResult, DbErr> {
        self.write_pending().await?;
        self.writes(true);
        let sql = AssertSqlSafe(sql.to_owned());
        let run = async |open: &mut PgConnection| open.execute(sqlx::raw_sql(sql)).await;
        self.run(run, DbErr::Exec).await
    }

    pub(crate) async fn query_one(&self, statement: Statement) -> Result<Option<PgRow>, DbErr> {
        self.write_what_concerns(&statement.sql).await?;
        self.writes(!is_query(&statement));
        let run = async |open: &mut PgConnection| query(statement).fetch_optional(open).await;
        self.run(run, DbErr::Query).await
    }

    pub(crate) async fn query_all(&self, statement: Statement) -> Result<Vec<PgRow>, DbErr> {
        self.write_what_concerns(&statement.sql).await?;
        self.writes(!is_query(&statement));
        let run = async |open: &mut PgConnection| query(statement).fetch_all(open).await;
        self.run(run, DbErr::Query).await
    }

    pub(crate) async fn savepoint(&self) -> Result<(), StoreError> {
        Ok(self.execute_batch("SAVEPOINT unit").await.map(drop)?)
    }

    /// Keeps or undoes what came since the innermost savepoint. A statement that
    /// failed in between is undone with it; what ended the whole transaction
    /// stays its end.
    pub(crate) async fn end_savepoint(&self, keep: bool) -> Result<(), StoreError> {
        if keep {
            return Ok(self.execute_batch("RELEASE unit").await.map(drop)?);
        }
        let undone = {
            let mut fault = self.fault.lock();
            fault.take_if(|fault| *fault == Fault::Statement);
            fault.is_none()
        };
        if undone {
            drop(self.open.pending.take());
            let undo = "ROLLBACK TO unit; RELEASE unit";
            self.execute_batch(undo).await?;
        }
        Ok(())
    }

    async fn run<T>(
        &self,
        statement: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
        failed: fn(RuntimeErr) -> DbErr,
    ) -> Result<T, DbErr> {
        if self.open.extent == Extent::Single && self.run.fetch_add(1, Ordering::Relaxed) > 0 {
            self.fault.lock().get_or_insert(Fault::Several);
        }
        if self.fault().is_some() {
            let lost = "the transaction is lost: a statement before this one failed";
            return Err(failed(RuntimeErr::Internal(lost.to_owned())));
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let _under_way = UnderWay(&self.under_way);
        let mut open = self.open.link.lock().await;
        within(self.limit, statement(&mut open))
            .await
            .map_err(|error| {
                if let Some(reason) = misfit(&error) {
                    self.hub.unfit(reason);
                }
                self.fault.lock().get_or_insert(Fault::of(&error));
                failed(RuntimeErr::SqlxError(Arc::new(error)))
            })
    }
}

/// Ends a connection. Whatever comes of the goodbye, it is over then.
pub(super) async fn part(connection: PgConnection, limit: Duration) {
    drop(within(limit, sqlx::Connection::close(connection)).await);
}

/// Bounds the wait for a server that neither answers nor hangs up. The server's
/// own limits end first where it is alive.
pub(super) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    // Real time: it is about the network, not about the shop's day.
    tokio::time::timeout(limit, answer)
        .await
        .unwrap_or_else(|_| {
            let silent = format!("the server has not answered within {limit:?}");
            Err(sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                silent,
            )))
        })
}

fn is_query(statement: &Statement) -> bool {
    statement.sql.trim_start().starts_with("SELECT")
}

fn query(statement: Statement) -> Query<'static, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or(Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}
