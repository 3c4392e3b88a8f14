//! Jobs side by side, each in a transaction of its own on one of a bounded
//! number of connections: how it begins, ends, and is run again.
//!
//! What collided with others, or lost its connection before the commit, is run
//! again within bounds. A commit that was not answered may have been made: that
//! is told as it is and never repeated here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::Executor;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::fault::is_rollback;
use super::session::{Link, within};
use super::target::{Purpose, Target};
use super::{Fault, Session};
use crate::hub::Hub;
use crate::job::Job;
use crate::{PostgresOptions, StoreError, StoreHealth, Tx};

/// Between two tries to reach a server that is away, at the most.
const RECONNECT: Duration = Duration::from_millis(250);
/// The longest wait behind a collision.
const COLLISION: Duration = Duration::from_millis(50);

/// What the lanes of one store share.
pub(super) struct Line {
    hub: Arc<Hub>,
    target: Arc<Target>,
    options: PostgresOptions,
    /// Since when the server cannot be reached.
    away: Cell<Option<Instant>>,
}

/// Jobs of one purpose and the connections for them.
#[derive(Clone)]
pub(super) struct Lane {
    line: Rc<Line>,
    purpose: Purpose,
    size: u32,
    turns: Arc<Semaphore>,
    /// Connections that nobody uses; the one used last is taken first, so that
    /// few stay warm while there is little to do.
    idle: Rc<RefCell<Vec<Link>>>,
}

impl Line {
    pub(super) fn new(hub: Arc<Hub>, target: Arc<Target>, options: PostgresOptions) -> Self {
        Self {
            hub,
            target,
            options,
            away: Cell::new(None),
        }
    }

    fn reached(&self) {
        if self.away.take().is_some() {
            self.hub.report(None);
        }
    }

    fn missed(&self, reason: &str) {
        if self.away.get().is_none() {
            self.away.set(Some(Instant::now()));
        }
        self.hub.report(Some(reason.to_owned()));
    }

    /// Whether units no longer wait for the server.
    fn given_up(&self) -> bool {
        let away = self.away.get();
        away.is_some_and(|since| since.elapsed() >= self.options.patience)
    }

    fn unreachable(&self, reason: String) -> StoreError {
        StoreError::Unreachable {
            store: self.hub.name.clone(),
            reason,
        }
    }
}

impl Lane {
    pub(super) fn new(line: Rc<Line>, purpose: Purpose, size: usize) -> Self {
        Self {
            line,
            purpose,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            turns: Arc::new(Semaphore::new(size)),
            idle: Rc::default(),
        }
    }

    /// Runs jobs until nobody can bring any more, or `closing` and the queue is
    /// empty; then waits for those under way.
    pub(super) async fn run(
        &self,
        mut jobs: mpsc::Receiver<Box<dyn Job>>,
        closing: &CancellationToken,
    ) {
        while let Ok(turn) = self.turns.clone().acquire_owned().await {
            let job = tokio::select! {
                biased;
                job = jobs.recv() => job,
                () = closing.cancelled(), if !jobs.is_closed() => {
                    jobs.close();
                    jobs.recv().await
                }
            };
            let Some(job) = job else { break };
            let lane = self.clone();
            tokio::task::spawn_local(async move {
                let _turn = turn;
                lane.serve(job).await;
            });
        }
        drop(self.turns.acquire_many(self.size).await);
        let idle = std::mem::take(&mut *self.idle.borrow_mut());
        for connection in idle.into_iter().filter_map(Arc::into_inner) {
            // Whatever comes of a goodbye, the connection ends here.
            drop(sqlx::Connection::close(connection.into_inner()).await);
        }
    }

    /// Looks at a server that nobody asks anything, so that the store's health
    /// says how it is and its return is noticed.
    pub(super) async fn watch(&self) -> ! {
        let mut seen = 0;
        loop {
            let failing = self.line.away.get().is_some();
            let every = self.line.options.look_every;
            sleep(if failing { every.min(RECONNECT) } else { every }).await;
            let (hub, work) = (&self.line.hub, self.line.hub.write_stats().commits);
            let work = work + hub.read_stats().reads;
            if failing || work == seen {
                self.look().await;
            }
            seen = work;
        }
    }

    async fn look(&self) {
        let Ok(_turn) = self.turns.acquire().await else {
            return;
        };
        let idle = self.idle.borrow_mut().pop();
        if let Some(link) = idle {
            if self.say(&link, "SELECT 1").await.is_ok() {
                return self.give_back(link);
            }
            self.idle.borrow_mut().clear();
        }
        // Connecting reports how it went.
        if let Ok(link) = self.connect().await {
            self.give_back(link);
        }
    }

    /// Runs one job to its end, as often as that takes.
    async fn serve(&self, mut job: Box<dyn Job>) {
        let (line, mut collisions, mut losses) = (&self.line, 0, 0);
        let started = Instant::now();
        loop {
            let (fault, reason) = match self.attempt(job).await {
                Ok(()) => return,
                Err((back, fault, reason)) => {
                    job = back;
                    (fault, reason)
                }
            };
            let store = line.hub.name.clone();
            match fault {
                Fault::Collision if collisions < line.options.retries => {
                    collisions += 1;
                    metrics::counter!("cleave_store_collisions_total", "store" => store)
                        .increment(1);
                    let most = COLLISION.min(Duration::from_millis(1 << collisions.min(16)));
                    sleep(most.mul_f64(rand::random())).await;
                }
                Fault::Collision => {
                    let attempts = collisions + 1;
                    return job.answer(Some(StoreError::Contended { store, attempts }));
                }
                _ if line.given_up() || started.elapsed() >= line.options.patience => {
                    return job.answer(Some(line.unreachable(reason)));
                }
                _ => {
                    // A connection that had broken unnoticed is replaced at once.
                    if losses > 0 {
                        sleep(RECONNECT.mul_f64(rand::random())).await;
                    }
                    losses += 1;
                }
            }
        }
    }

    /// One try. Gives the job back where it has to run again.
    async fn attempt(&self, mut job: Box<dyn Job>) -> Result<(), (Box<dyn Job>, Fault, String)> {
        if self.line.given_up() {
            let StoreHealth::Failing(reason) = self.line.hub.health() else {
                return Err((job, Fault::Lost, "the server is away".to_owned()));
            };
            return Err((job, Fault::Lost, reason));
        }
        let link = match self.begin().await {
            Ok(link) => link,
            Err(error) => return Err((job, Fault::Lost, error.to_string())),
        };
        let statements = match self.purpose {
            Purpose::Read => &self.line.hub.read_statements,
            _ => &self.line.hub.statements,
        };
        let session = Session::new(link.clone(), self.line.options.answer_within());
        let listeners = self.line.hub.listeners.clone();
        let tx = Tx::over_postgres(session, listeners, statements.clone());
        let keep = job.run_remotely(&tx).await;
        match (tx.fault(), keep) {
            (Some(fault @ (Fault::Collision | Fault::Lost)), _) => {
                drop(tx);
                if fault == Fault::Collision {
                    self.rollback(link).await;
                }
                let reason = "the connection broke".to_owned();
                Err((job, fault, reason))
            }
            (Some(fault), keep) => {
                drop(tx);
                self.rollback(link).await;
                job.answer(self.verdict(fault, keep));
                Ok(())
            }
            (None, true) if self.purpose == Purpose::Write => self.commit(job, tx, link).await,
            (None, _) => {
                drop(tx);
                if self.purpose == Purpose::Read {
                    self.line.hub.reads.fetch_add(1, Ordering::Relaxed);
                    job.answer(None);
                    self.rollback(link).await;
                } else {
                    self.rollback(link).await;
                    job.answer(None);
                }
                Ok(())
            }
        }
    }

    /// What a unit is told whose transaction ended by a statement that failed.
    fn verdict(&self, fault: Fault, kept: bool) -> Option<StoreError> {
        let store = self.line.hub.name.clone();
        match fault {
            Fault::Full => Some(StoreError::Full { store }),
            Fault::TooSlow => Some(StoreError::TimedOut {
                store,
                reason: "a statement, or its wait for a lock, reached its limit".to_owned(),
            }),
            // A unit that went on behind a failed statement cannot be kept.
            _ if kept => Some(StoreError::Database(sea_orm::DbErr::Custom(
                "a statement failed and cost the unit its transaction".to_owned(),
            ))),
            _ => None,
        }
    }

    async fn commit(
        &self,
        job: Box<dyn Job>,
        tx: Tx,
        link: Link,
    ) -> Result<(), (Box<dyn Job>, Fault, String)> {
        let effects = tx.take_effects();
        drop(tx);
        let committed = self.say(&link, "COMMIT").await;
        let hub = &self.line.hub;
        match committed {
            Ok(()) => {
                self.give_back(link);
                hub.units.fetch_add(1, Ordering::Relaxed);
                hub.commits.fetch_add(1, Ordering::Relaxed);
                hub.announce([effects]);
                job.answer(None);
            }
            Err(error) if is_rollback(&error) => {
                let fault = Fault::of(&error);
                self.give_back(link);
                if fault == Fault::Collision {
                    return Err((job, fault, error.to_string()));
                }
                let other = || StoreError::Database(sea_orm::DbErr::Custom(error.to_string()));
                job.answer(Some(self.verdict(fault, false).unwrap_or_else(other)));
            }
            Err(error) => {
                let (store, reason) = (hub.name.clone(), error.to_string());
                tracing::error!(store, reason, "the answer to a commit was lost");
                job.answer(Some(StoreError::Unknown { store, reason }));
            }
        }
        Ok(())
    }

    /// A connection with an open transaction.
    async fn begin(&self) -> sqlx::Result<Link> {
        let link = self.link().await?;
        if let Err(error) = self.say(&link, "BEGIN").await {
            // The others are as old, and most likely as broken.
            self.idle.borrow_mut().clear();
            return Err(error);
        }
        self.line.reached();
        Ok(link)
    }

    /// Runs what has no parameters and no rows.
    async fn say(&self, link: &Link, sql: &'static str) -> sqlx::Result<()> {
        let mut open = link.lock().await;
        let run = open.execute(sqlx::raw_sql(sql));
        within(self.line.options.answer_within(), run)
            .await
            .map(drop)
    }

    async fn link(&self) -> sqlx::Result<Link> {
        let idle = self.idle.borrow_mut().pop();
        match idle {
            Some(link) => Ok(link),
            None => self.connect().await,
        }
    }

    async fn connect(&self) -> sqlx::Result<Link> {
        match self.line.target.connect(self.purpose).await {
            Ok(connection) => {
                self.line.reached();
                Ok(Arc::new(tokio::sync::Mutex::new(connection)))
            }
            Err(error) => {
                self.line
                    .missed(&self.line.target.explain(&error).to_string());
                // What is idle belongs to a server that is gone.
                self.idle.borrow_mut().clear();
                Err(error)
            }
        }
    }

    /// Leaves no transaction open; a connection that cannot say so is dropped.
    async fn rollback(&self, link: Link) {
        if self.say(&link, "ROLLBACK").await.is_ok() {
            self.give_back(link);
        }
    }

    fn give_back(&self, link: Link) {
        self.idle.borrow_mut().push(link);
    }
}
