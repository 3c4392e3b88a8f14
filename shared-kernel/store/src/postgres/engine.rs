//! The thread of one store and the queues to it.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use sea_orm_migration::MigratorTrait;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use super::group::Entry;
use super::lane::{Lane, Line};
use super::migrate;
use super::occupancy::Occupancy;
use super::target::{Purpose, Target};
use crate::hub::Hub;
use crate::job::Job;
use crate::{OpenError, PostgresOptions, StoreError};

type Queue = mpsc::Sender<Entry>;

/// A schema that is open.
pub(crate) struct Engine {
    hub: Arc<Hub>,
    target: Arc<Target>,
    options: PostgresOptions,
    units: Queue,
    queries: Queue,
    closing: CancellationToken,
    closed: CancellationToken,
}

impl Engine {
    /// Looks at the server, and starts the thread.
    pub(crate) async fn open(
        hub: Arc<Hub>,
        url: &str,
        options: &PostgresOptions,
    ) -> Result<Self, OpenError> {
        let target = Arc::new(Target::parse(&hub.name, url, options)?);
        target.examine(&hub.name).await?;
        let (units, to_do) = mpsc::channel(options.write_queue);
        let (queries, to_answer) = mpsc::channel(options.read_queue);
        let (closing, closed) = (CancellationToken::new(), CancellationToken::new());
        let engine = Self {
            hub: hub.clone(),
            target: target.clone(),
            options: options.clone(),
            units,
            queries,
            closing: closing.clone(),
            closed: closed.clone(),
        };
        let (line, end) = ((hub, target, options.clone()), closed.drop_guard());
        let work = move || {
            let _end = end;
            run(line, to_do, to_answer, &closing);
        };
        let name = format!("{}-postgres", engine.hub.name);
        let started = thread::Builder::new().name(name).spawn(work);
        started.map_err(|error| OpenError::Unreachable {
            server: engine.target.server(),
            reason: format!("no thread could be started: {error}"),
        })?;
        Ok(engine)
    }

    pub(crate) async fn occupy(&self) -> Result<(), OpenError> {
        let occupancy = Occupancy {
            hub: self.hub.clone(),
            target: self.target.clone(),
            options: self.options.clone(),
            closing: self.closing.clone(),
        };
        occupancy.take().await
    }

    pub(crate) async fn migrate<M: MigratorTrait>(&self) -> Result<(), OpenError> {
        migrate::migrate::<M>(&self.hub.name, &self.target).await
    }

    pub(crate) async fn verify<M: MigratorTrait>(&self) -> Result<(), OpenError> {
        migrate::verify::<M>(&self.hub.name, &self.target).await
    }

    pub(crate) fn write(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.hub.in_place()?;
        self.put(&self.units, job)
    }

    pub(crate) fn read(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.put(&self.queries, job)
    }

    fn put(&self, queue: &Queue, job: Box<dyn Job>) -> Result<(), StoreError> {
        match queue.try_send(Entry::new(job)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(self.hub.busy(queue.max_capacity())),
            Err(TrySendError::Closed(_)) => Err(self.hub.gone()),
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.units.max_capacity() - self.units.capacity()
    }

    pub(crate) async fn close(&self) {
        self.hub.closed.store(true, Ordering::Relaxed);
        self.closing.cancel();
        self.closed.cancelled().await;
    }
}

impl Drop for Engine {
    /// The thread ends by its queues; whoever keeps the place at the schema does not.
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

fn run(
    (hub, target, options): (Arc<Hub>, Arc<Target>, PostgresOptions),
    units: mpsc::Receiver<Entry>,
    queries: mpsc::Receiver<Entry>,
    closing: &CancellationToken,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return hub.report(Some(format!("its thread could not start: {error}"))),
    };
    let (writers, readers) = (options.writers, options.readers);
    let line = Rc::new(Line::new(hub, target, options));
    let writing = Lane::new(line.clone(), Purpose::Write, writers);
    let reading = Lane::new(line, Purpose::Read, readers);
    let work = async {
        let watched = reading.clone();
        tokio::select! {
            never = watched.watch() => never,
            _ = async { tokio::join!(writing.run(units, closing), reading.run(queries, closing)) } => {}
        }
    };
    LocalSet::new().block_on(&runtime, work);
}
