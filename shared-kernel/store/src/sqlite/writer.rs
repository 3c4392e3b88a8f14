//! The thread that owns the writing connection.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::Receiver;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::group::{self, Caution};
use super::{Job, SharedConnection};
use crate::listeners::Listeners;
use crate::tx::Effects;
use crate::{Signal, Tx};

/// What the writer is asked to do.
pub(crate) enum Command {
    /// Run a unit, with others.
    Unit(Box<dyn Job>),
    /// Do something alone, between groups.
    Alone(Box<dyn FnOnce(&SharedConnection) + Send>),
    /// Finish what is queued, and close.
    Close(oneshot::Sender<()>),
}

/// What the writer shares with the store's handles.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) units: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) statements: Arc<AtomicU64>,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) trouble: Mutex<Option<String>>,
    pub(crate) closed: AtomicBool,
}

/// The writer, before it runs.
pub(crate) struct Writer {
    pub(crate) name: String,
    pub(crate) connection: SharedConnection,
    pub(crate) commands: Receiver<Command>,
    pub(crate) group_limit: usize,
    pub(crate) shared: Arc<Shared>,
    /// Keeps other processes away from the file until the thread ends.
    pub(crate) _lock: File,
}

impl Writer {
    /// Runs until it is told to close, or nobody holds the store any more.
    pub(crate) fn run(self) {
        let shared = &self.shared;
        let (listeners, statements) = (shared.listeners.clone(), shared.statements.clone());
        let tx = Tx::new(self.connection.clone(), listeners, statements);
        let mut caution = Caution::default();
        let mut next = None;
        while let Some(command) = next.take().or_else(|| self.commands.recv().ok()) {
            match command {
                Command::Unit(job) => {
                    let (group, behind) = self.collect(job);
                    next = behind;
                    self.commit(&tx, group, &mut caution);
                }
                Command::Alone(action) => action(&self.connection),
                Command::Close(closed) => return self.close(tx, caution, closed),
            }
        }
        self.checkpoint();
    }

    /// The units that wait behind the first, and the command that ended their row.
    fn collect(&self, first: Box<dyn Job>) -> (Vec<Box<dyn Job>>, Option<Command>) {
        let mut group = vec![first];
        while group.len() < self.group_limit {
            match self.commands.try_recv() {
                Ok(Command::Unit(job)) => group.push(job),
                Ok(other) => return (group, Some(other)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    fn commit(&self, tx: &Tx, group: Vec<Box<dyn Job>>, caution: &mut Caution) {
        let done = group::run(&self.connection, tx, &self.name, group, caution);
        self.shared.units.fetch_add(done.units, Ordering::Relaxed);
        self.shared
            .commits
            .fetch_add(done.commits, Ordering::Relaxed);
        self.report(done.trouble);
        self.announce(done.effects);
        for (job, failure) in done.answers {
            job.answer(failure);
        }
    }

    fn report(&self, trouble: Option<String>) {
        let mut known = self.shared.trouble.lock();
        match (&trouble, &*known) {
            (Some(error), None) => tracing::error!(store = self.name, error, "the store fails"),
            (None, Some(_)) => tracing::info!(store = self.name, "the store works again"),
            _ => {}
        }
        *known = trouble;
    }

    /// What the committed units asked for. An action that panics takes no other with it.
    fn announce(&self, effects: Vec<Effects>) {
        let mut signals: Vec<Signal> = Vec::new();
        for effect in effects {
            for signal in effect.signals {
                if !signals.contains(&signal) {
                    signals.push(signal);
                }
            }
            for (signal, news) in effect.news {
                self.shared.listeners.tell(signal, news);
            }
            for action in effect.actions {
                if std::panic::catch_unwind(std::panic::AssertUnwindSafe(action)).is_err() {
                    tracing::error!(store = self.name, "an action after a commit panicked");
                }
            }
        }
        self.shared.listeners.raise(&signals);
    }

    fn close(self, tx: Tx, mut caution: Caution, closed: oneshot::Sender<()>) {
        self.shared.closed.store(true, Ordering::Relaxed);
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Unit(job) = command {
                let (group, _) = self.collect(job);
                self.commit(&tx, group, &mut caution);
            }
        }
        self.checkpoint();
        drop((tx, self));
        // Whoever closed it may have gone away meanwhile.
        let _ = closed.send(());
    }

    fn checkpoint(&self) {
        if let Err(error) = self
            .connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        {
            tracing::warn!(store = self.name, %error, "the write-ahead log was not copied into the file; the next start does it");
        }
    }
}
