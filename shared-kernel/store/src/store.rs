//! The store of one context, as everybody above sees it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cleave_vocabulary::Clock;
use sea_orm_migration::MigratorTrait;
use serde::Serialize;
use tokio::sync::Notify;

use crate::clock::SharedClock;
use crate::hub::Hub;
use crate::job::{Job, job};
use crate::{Following, OpenError, PostgresOptions, Signal, SqliteOptions, StoreError, Tx, Unit};
use crate::{postgres, sqlite};

/// What units of work did since the store was opened: the cost of work, countable.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WriteStats {
    /// Units of work that committed.
    pub units: u64,
    /// Commits that they shared.
    pub commits: u64,
    /// Statements inside units.
    pub statements: u64,
    /// Units whose commit was not answered: they may have committed.
    pub unanswered: u64,
}

/// What queries did since the store was opened.
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

/// The database of one context. Cheap to clone; closed by [`Store::close`], or
/// when the last clone is dropped.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Arc<Hub>,
    engine: Engine,
}

/// What carries the store.
enum Engine {
    Sqlite(sqlite::Engine),
    Postgres(postgres::Engine),
}

impl Store {
    /// Opens (or makes) the SQLite file at `path`, alone: a second process is
    /// refused with [`OpenError::InUse`]. `name` stands in messages and metrics.
    pub fn open_sqlite(
        name: &str,
        path: impl AsRef<Path>,
        options: &SqliteOptions,
    ) -> Result<Self, OpenError> {
        let hub = Hub::new(name);
        let engine = sqlite::Engine::open(hub.clone(), path.as_ref(), options)?;
        Ok(Self::over(hub, Engine::Sqlite(engine)))
    }

    /// Opens a schema of a Postgres database (15 or later), beside whoever else
    /// uses it. The schema is `cleave_<name>`, or what the URL's parameter
    /// `schema` says, and must be there. Looks at the server before it returns,
    /// and says what is wrong.
    pub async fn open_postgres(
        name: &str,
        url: &str,
        options: &PostgresOptions,
    ) -> Result<Self, OpenError> {
        let hub = Hub::new(name);
        let engine = postgres::Engine::open(hub.clone(), url, options).await?;
        Ok(Self::over(hub, Engine::Postgres(engine)))
    }

    fn over(hub: Arc<Hub>, engine: Engine) -> Self {
        Self {
            inner: Arc::new(Inner { hub, engine }),
        }
    }

    /// Brings the schema up to what `M` knows; refuses a database that knows more.
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), OpenError> {
        match &self.inner.engine {
            Engine::Sqlite(engine) => engine.migrate::<M>().await,
            Engine::Postgres(engine) => Box::pin(engine.migrate::<M>()).await,
        }
    }

    /// Sees to it that the schema is what `M` knows, for whoever looks beside a process
    /// that works: on Postgres refuses with [`OpenError::Behind`] what lacks something.
    /// A SQLite file, which is its opener's alone, is brought up to date.
    pub async fn verify<M: MigratorTrait>(&self) -> Result<(), OpenError> {
        match &self.inner.engine {
            Engine::Sqlite(engine) => engine.migrate::<M>().await,
            Engine::Postgres(engine) => Box::pin(engine.verify::<M>()).await,
        }
    }

    /// Lets other processes work on the same database, each through a store that
    /// says so too. On SQLite nobody can: the file is its opener's alone.
    pub fn share(&self) {
        let shared = matches!(self.inner.engine, Engine::Postgres(_));
        self.inner.hub.shared.store(shared, Ordering::Relaxed);
    }

    /// The same, with those alone that say the name of the same bus when they occupy
    /// it: events that one bus carries are not heard at another.
    pub fn share_over(&self, bus: &str) {
        self.share();
        *self.inner.hub.bus.lock() = Some(bus.to_owned());
    }

    /// Whether other processes may work on the same database at this moment.
    pub fn is_shared(&self) -> bool {
        self.inner.hub.is_shared()
    }

    /// `own` as all processes that share the database read it: by the clock of its
    /// server. For what they count by together; `own` itself where nobody shares it.
    pub fn clock(&self, own: Arc<dyn Clock>) -> Arc<dyn Clock> {
        let hub = self.inner.hub.clone();
        Arc::new(SharedClock { hub, own })
    }

    /// Takes the database for a process that works on it in the background, until
    /// the store is closed: alone, or beside others where it is shared. Refuses
    /// with [`OpenError::Occupied`] what another process is in the way of, and with
    /// [`OpenError::ClocksApart`] a machine whose clock is wrong. Only to look or to
    /// write beside such a process, nobody needs this.
    pub async fn occupy(&self) -> Result<(), OpenError> {
        match &self.inner.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(engine) => engine.occupy().await,
        }
    }

    /// The name given when it was opened.
    pub fn name(&self) -> &str {
        &self.inner.hub.name
    }

    /// Runs a unit of work and commits it: on SQLite together with others that
    /// wait, on Postgres beside them. It runs to its end even when the caller
    /// goes away. The closure may run more than once (a database may ask for a
    /// retry), so it must not consume what it captured, and it may await nothing
    /// but `tx`.
    pub async fn write<T, R, F>(&self, unit: F) -> Unit<T, R>
    where
        F: AsyncFn(&Tx) -> Unit<T, R> + Send + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        let (job, outcome) = job(unit);
        self.submit(job, true)?;
        outcome.await.unwrap_or_else(|_| Err(self.closed().into()))
    }

    /// Runs a query beside the units of work, over one snapshot of what is committed.
    pub async fn read<T, R, F>(&self, query: F) -> Unit<T, R>
    where
        F: AsyncFn(&Tx) -> Unit<T, R> + Send + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        if self.inner.hub.closed.load(Ordering::Relaxed) {
            return Err(self.closed().into());
        }
        let (job, outcome) = job(query);
        self.submit(job, false)?;
        outcome.await.unwrap_or_else(|_| Err(self.closed().into()))
    }

    fn submit(&self, job: Box<dyn Job>, writes: bool) -> Result<(), StoreError> {
        match (&self.inner.engine, writes) {
            (Engine::Sqlite(engine), true) => engine.write(job),
            (Engine::Sqlite(engine), false) => engine.read(job),
            (Engine::Postgres(engine), true) => engine.write(job),
            (Engine::Postgres(engine), false) => engine.read(job),
        }
    }

    fn closed(&self) -> StoreError {
        self.inner.hub.gone()
    }

    /// Notified after each commit of this process with a unit that raised
    /// `signal`, and now and then where the database is shared: another process
    /// may have raised it. Notifications melt together; look for work before the
    /// first wait.
    pub fn on(&self, signal: Signal) -> Arc<Notify> {
        self.inner.hub.listeners.listen(signal)
    }

    /// Hears what units of this process tell under `signal` ([`Tx::tell`]), in the
    /// order of their commits and before the signal is raised, for as long as what
    /// this returns is kept. `hear` runs on the store's thread: it must be short
    /// and must not block. One follower to a signal: the last that came.
    pub fn follow<T: 'static>(
        &self,
        signal: Signal,
        hear: impl Fn(T) + Send + Sync + 'static,
    ) -> Following {
        self.inner.hub.listeners.follow(signal, hear)
    }

    /// The counts of units of work.
    pub fn write_stats(&self) -> WriteStats {
        self.inner.hub.write_stats()
    }

    /// The counts of queries.
    pub fn read_stats(&self) -> ReadStats {
        self.inner.hub.read_stats()
    }

    /// Units of work that wait to be run at this moment.
    pub fn waiting(&self) -> usize {
        match &self.inner.engine {
            Engine::Sqlite(engine) => engine.waiting(),
            Engine::Postgres(engine) => engine.waiting(),
        }
    }

    /// Whether it takes work.
    pub fn health(&self) -> StoreHealth {
        self.inner.hub.health()
    }

    /// Finishes what is queued and closes. Later calls get
    /// [`StoreError::Closed`]; closing again is harmless.
    pub async fn close(&self) {
        match &self.inner.engine {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::Postgres(engine) => engine.close().await,
        }
    }
}
