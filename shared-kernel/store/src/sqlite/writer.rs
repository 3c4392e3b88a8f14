//! The thread that owns the writing connection.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::Receiver;
use tokio::sync::oneshot;

use super::SharedConnection;
use super::group::{self, Caution};
use crate::Tx;
use crate::hub::Hub;
use crate::job::Job;

/// What the writer is asked to do.
pub(crate) enum Command {
    /// Run a unit, with others.
    Unit(Box<dyn Job>),
    /// Do something alone, between groups.
    Alone(Box<dyn FnOnce(&SharedConnection) + Send>),
    /// Finish what is queued, and close.
    Close(oneshot::Sender<()>),
}

/// The writer, before it runs.
pub(crate) struct Writer {
    pub(crate) connection: SharedConnection,
    pub(crate) commands: Receiver<Command>,
    pub(crate) group_limit: usize,
    pub(crate) hub: Arc<Hub>,
    /// Keeps other processes away from the file until the thread ends.
    pub(crate) _lock: File,
}

impl Writer {
    /// Runs until it is told to close, or nobody holds the store any more.
    pub(crate) fn run(self) {
        let (listeners, statements) = (self.hub.listeners.clone(), self.hub.statements.clone());
        let tx = Tx::over_sqlite(self.connection.clone(), listeners, statements);
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
        let done = group::run(&self.connection, tx, &self.hub.name, group, caution);
        self.hub.units.fetch_add(done.units, Ordering::Relaxed);
        self.hub.commits.fetch_add(done.commits, Ordering::Relaxed);
        self.hub.report(done.trouble);
        self.hub.announce(done.effects);
        for (job, failure) in done.answers {
            job.answer(failure);
        }
    }

    fn close(self, tx: Tx, mut caution: Caution, closed: oneshot::Sender<()>) {
        self.hub.closed.store(true, Ordering::Relaxed);
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
            tracing::warn!(store = self.hub.name, %error, "the write-ahead log was not copied into the file; the next start does it");
        }
    }
}
