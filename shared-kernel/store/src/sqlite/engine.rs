//! The writer's and the readers' threads of one file, and the queues to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Sender, TrySendError, bounded};
use sea_orm_migration::MigratorTrait;
use tokio::sync::oneshot;

use super::open::{Opened, open};
use super::writer::{Command, Writer};
use super::{migrate, reader};
use crate::hub::Hub;
use crate::job::Job;
use crate::{OpenError, SqliteOptions, StoreError};

/// A file that is open.
pub(crate) struct Engine {
    hub: Arc<Hub>,
    path: PathBuf,
    commands: Sender<Command>,
    queries: Sender<Box<dyn Job>>,
}

impl Engine {
    /// Opens (or makes) the file, and starts its threads.
    pub(crate) fn open(
        hub: Arc<Hub>,
        path: &Path,
        options: &SqliteOptions,
    ) -> Result<Self, OpenError> {
        let opened = open(path, options)?;
        Self::start(hub, path, opened, options).map_err(|error| OpenError::Unusable {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    fn start(
        hub: Arc<Hub>,
        path: &Path,
        opened: Opened,
        options: &SqliteOptions,
    ) -> std::io::Result<Self> {
        let (commands, to_do) = bounded(options.write_queue);
        let (queries, to_answer) = bounded(options.read_queue);
        let writer = Writer {
            connection: opened.writer,
            commands: to_do,
            group_limit: options.group_limit,
            hub: hub.clone(),
            _lock: opened.lock,
        };
        thread::Builder::new()
            .name(format!("{}-writer", hub.name))
            .spawn(move || writer.run())?;
        for connection in opened.readers {
            let (hub, queries) = (hub.clone(), to_answer.clone());
            thread::Builder::new()
                .name(format!("{}-reader", hub.name))
                .spawn(move || reader::run(&hub, &connection, &queries))?;
        }
        Ok(Self {
            hub,
            path: path.to_owned(),
            commands,
            queries,
        })
    }

    pub(crate) async fn migrate<M: MigratorTrait>(&self) -> Result<(), OpenError> {
        let (reply, outcome) = oneshot::channel();
        let (name, path) = (self.hub.name.clone(), self.path.clone());
        let action = Command::Alone(Box::new(move |connection| {
            drop(reply.send(migrate::migrate::<M>(&name, &path, connection)));
        }));
        let gone = || OpenError::Migration {
            database: self.hub.name.clone(),
            reason: "the store is closed".into(),
        };
        self.commands.send(action).map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }

    pub(crate) fn write(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let queued = self.commands.try_send(Command::Unit(job));
        self.taken(&queued, self.commands.len())
    }

    pub(crate) fn read(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let queued = self.queries.try_send(job);
        self.taken(&queued, self.queries.len())
    }

    fn taken<C>(
        &self,
        queued: &Result<(), TrySendError<C>>,
        waiting: usize,
    ) -> Result<(), StoreError> {
        match queued {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(self.hub.busy(waiting)),
            Err(TrySendError::Disconnected(_)) => Err(self.hub.gone()),
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.commands.len()
    }

    pub(crate) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        let mut command = Command::Close(closed);
        loop {
            match self.commands.try_send(command) {
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
