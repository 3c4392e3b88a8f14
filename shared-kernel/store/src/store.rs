//! The store of one context, as everybody above sees it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{Sender, TrySendError, bounded};
use sea_orm_migration::MigratorTrait;
use serde::Serialize;
use tokio::sync::{Notify, oneshot};

use crate::sqlite::{self, Command, Job, Opened, Readers, Writer, WriterShared};
use crate::{Following, OpenError, Signal, SqliteOptions, StoreError, Tx, Unit};

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

/// The database of one context. Cheap to clone; closed by [`Store::close`], or
/// when the last clone is dropped.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    path: PathBuf,
    commands: Sender<Command>,
    queries: Sender<Box<dyn Job>>,
    writer: Arc<WriterShared>,
    readers: Arc<Readers>,
}

impl Store {
    /// Opens (or makes) the SQLite file at `path`, alone: a second process is
    /// refused with [`OpenError::InUse`]. `name` stands in messages and metrics.
    pub fn open_sqlite(
        name: &str,
        path: impl AsRef<Path>,
        options: &SqliteOptions,
    ) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let opened = sqlite::open(path, options)?;
        Self::start(name, path, opened, options).map_err(|error| OpenError::Unusable {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    fn start(
        name: &str,
        path: &Path,
        opened: Opened,
        options: &SqliteOptions,
    ) -> std::io::Result<Self> {
        let (commands, to_do) = bounded(options.write_queue);
        let (queries, to_answer) = bounded(options.read_queue);
        let (shared, readers) = (Arc::<WriterShared>::default(), Arc::<Readers>::default());
        let writer = Writer {
            name: name.to_owned(),
            connection: opened.writer,
            commands: to_do,
            group_limit: options.group_limit,
            shared: shared.clone(),
            _lock: opened.lock,
        };
        thread::Builder::new()
            .name(format!("{name}-writer"))
            .spawn(move || writer.run())?;
        for connection in opened.readers {
            let (readers, queries, store) = (readers.clone(), to_answer.clone(), name.to_owned());
            thread::Builder::new()
                .name(format!("{name}-reader"))
                .spawn(move || readers.run(&store, &connection, &queries))?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                path: path.to_owned(),
                commands,
                queries,
                writer: shared,
                readers,
            }),
        })
    }

    /// Brings the schema up to what `M` knows; refuses a database that knows more.
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), OpenError> {
        let (reply, outcome) = oneshot::channel();
        let (name, path) = (self.inner.name.clone(), self.inner.path.clone());
        let action = Command::Alone(Box::new(move |connection| {
            drop(reply.send(sqlite::migrate::<M>(&name, &path, connection)));
        }));
        let gone = || OpenError::Migration {
            database: self.inner.name.clone(),
            reason: "the store is closed".into(),
        };
        self.inner.commands.send(action).map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }

    /// The name given when it was opened.
    pub fn name(&self) -> &str {
        &self.inner.name
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
        let (job, outcome) = sqlite::job(unit);
        let queued = self.inner.commands.try_send(Command::Unit(job));
        self.taken(&queued, self.inner.commands.len())?;
        outcome.await.unwrap_or_else(|_| Err(self.closed().into()))
    }

    /// Runs a query beside the writer, over one snapshot of what is committed.
    pub async fn read<T, R, F>(&self, query: F) -> Unit<T, R>
    where
        F: AsyncFn(&Tx) -> Unit<T, R> + Send + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        if self.inner.writer.closed.load(Ordering::Relaxed) {
            return Err(self.closed().into());
        }
        let (job, outcome) = sqlite::job(query);
        let queued = self.inner.queries.try_send(job);
        self.taken(&queued, self.inner.queries.len())?;
        outcome.await.unwrap_or_else(|_| Err(self.closed().into()))
    }

    fn taken<C>(
        &self,
        queued: &Result<(), TrySendError<C>>,
        waiting: usize,
    ) -> Result<(), StoreError> {
        match queued {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(StoreError::Busy {
                store: self.inner.name.clone(),
                queued: waiting,
            }),
            Err(TrySendError::Disconnected(_)) => Err(self.closed()),
        }
    }

    fn closed(&self) -> StoreError {
        StoreError::Closed {
            store: self.inner.name.clone(),
        }
    }

    /// Notified after each commit with a unit that raised `signal`. Notifications
    /// melt together; look for work before the first wait.
    pub fn on(&self, signal: Signal) -> Arc<Notify> {
        self.inner.writer.listeners.listen(signal)
    }

    /// Hears what units tell under `signal` ([`Tx::tell`]), in the order of their
    /// commits and before the signal is raised, for as long as what this returns
    /// is kept. `hear` runs on the store's thread: it must be short and must not
    /// block. One follower to a signal: the last that came.
    pub fn follow<T: 'static>(
        &self,
        signal: Signal,
        hear: impl Fn(T) + Send + Sync + 'static,
    ) -> Following {
        self.inner.writer.listeners.follow(signal, hear)
    }

    /// The writer's counts.
    pub fn write_stats(&self) -> WriteStats {
        let shared = &self.inner.writer;
        WriteStats {
            units: count(&shared.units),
            commits: count(&shared.commits),
            statements: count(&shared.statements),
        }
    }

    /// The readers' counts.
    pub fn read_stats(&self) -> ReadStats {
        let shared = &self.inner.readers;
        ReadStats {
            reads: count(&shared.reads),
            statements: count(&shared.statements),
        }
    }

    /// Units of work that wait for the writer at this moment.
    pub fn waiting(&self) -> usize {
        self.inner.commands.len()
    }

    /// Whether it takes work.
    pub fn health(&self) -> StoreHealth {
        self.inner
            .writer
            .trouble
            .lock()
            .clone()
            .map_or(StoreHealth::Ready, StoreHealth::Failing)
    }

    /// Finishes what is queued, copies the log into the file and closes. Later
    /// calls get [`StoreError::Closed`]; closing again is harmless.
    pub async fn close(&self) {
        let (closed, done) = oneshot::channel();
        let mut command = Command::Close(closed);
        loop {
            match self.inner.commands.try_send(command) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => {
                    command = back;
                    tokio::task::yield_now().await;
                }
            }
        }
        drop(done.await);
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
