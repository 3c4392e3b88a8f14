//! Jobs side by side, each in a transaction of its own on one of a bounded
//! number of connections: how it begins, ends, and is run again.
//!
//! What collided with others, or lost its connection before the commit, is run
//! again within bounds. A commit that was not answered may have been made: that
//! is told as it is and never repeated here.

mod watch;

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::Executor;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::caution::Manner;
use super::fault::is_rollback;
use super::group::{Entry, Waiting};
use super::session::{Extent, Link, Open, part, within};
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
    pub(super) hub: Arc<Hub>,
    target: Arc<Target>,
    pub(super) options: PostgresOptions,
    /// Since when the server cannot be reached.
    away: Cell<Option<Instant>>,
    /// Since when it takes no writes.
    refused: Cell<Option<Instant>>,
    /// Queries that have more than one statement.
    several: RefCell<HashSet<TypeId>>,
}

/// Jobs of one purpose and the connections for them.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) line: Rc<Line>,
    pub(super) purpose: Purpose,
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
            refused: Cell::new(None),
            several: RefCell::default(),
        }
    }

    /// What a unit is told that waited in vain.
    fn reason(&self, fault: Fault) -> String {
        match fault {
            Fault::ReadOnly => self.target.read_only().to_string(),
            Fault::Strained => "the server lacks memory, or cannot use its disk".to_owned(),
            _ => "the connection broke".to_owned(),
        }
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
    pub(super) async fn run(&self, jobs: mpsc::Receiver<Entry>, closing: &CancellationToken) {
        let waiting = Rc::new(Waiting::new(jobs, self.line.options.group_wait));
        while let Ok(turn) = self.turns.clone().acquire_owned().await {
            let Some(entry) = waiting.next(closing).await else {
                break;
            };
            let Some(job) = waiting.offer(entry).await else {
                continue;
            };
            let manner = self.manner(&waiting);
            let under_way = (manner != Manner::Alone).then(|| waiting.begun());
            let (lane, waiting) = (self.clone(), waiting.clone());
            tokio::task::spawn_local(async move {
                let _turn = turn;
                lane.work(job, manner, under_way, &waiting).await;
            });
        }
        drop(self.turns.acquire_many(self.size).await);
        let idle = std::mem::take(&mut *self.idle.borrow_mut());
        for connection in idle.into_iter().filter_map(Arc::into_inner) {
            part(connection.into_inner(), self.line.options.connect_timeout).await;
        }
    }

    /// Runs one job to its end, as often as that takes.
    pub(super) async fn serve(&self, mut job: Box<dyn Job>) {
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
                Fault::Several => {}
                _ if self.given_up() || started.elapsed() >= line.options.patience => {
                    if fault == Fault::ReadOnly {
                        line.refused();
                    }
                    return job.answer(Some(line.unreachable(reason)));
                }
                _ => {
                    // A connection that had broken unnoticed is replaced at once.
                    if losses > 0 {
                        // So is one that was older than the server's right to write.
                        if fault == Fault::ReadOnly {
                            line.refused();
                        }
                        sleep(RECONNECT.mul_f64(rand::random())).await;
                    }
                    losses += 1;
                }
            }
        }
    }

    /// One try. Gives the job back where it has to run again.
    async fn attempt(&self, mut job: Box<dyn Job>) -> Result<(), (Box<dyn Job>, Fault, String)> {
        if self.given_up() {
            let StoreHealth::Failing(reason) = self.line.hub.health() else {
                return Err((job, Fault::Lost, "the server is away".to_owned()));
            };
            return Err((job, Fault::Lost, reason));
        }
        let opened = if self.is_single(&*job) {
            self.without_transaction().await
        } else {
            self.begin("BEGIN", Extent::Alone).await
        };
        let open = match opened {
            Ok(open) => open,
            Err(error) => return Err((job, Fault::Lost, error.to_string())),
        };
        let tx = self.tx(&open);
        let keep = job.run_remotely(&tx).await;
        if keep {
            // What fails here is the transaction's fault, and told below.
            drop(tx.write_pending().await);
        }
        match (tx.fault(), keep) {
            (Some(fault), _) if self.runs_again(fault) => {
                drop(tx);
                match fault {
                    Fault::Lost | Fault::ReadOnly => self.drop_idle(),
                    Fault::Several => {
                        self.line.several.borrow_mut().insert(job.kind());
                        self.give_back(open.link);
                    }
                    _ => self.undo(open).await,
                }
                Err((job, fault, self.line.reason(fault)))
            }
            (Some(fault), keep) => {
                drop(tx);
                self.undo(open).await;
                job.answer(self.verdict(fault, keep));
                Ok(())
            }
            (None, true) if self.purpose == Purpose::Write => self.commit(job, tx, open.link).await,
            (None, _) => {
                drop(tx);
                if self.purpose == Purpose::Read {
                    self.line.reached();
                    self.line.hub.reads.fetch_add(1, Ordering::Relaxed);
                    job.answer(None);
                    self.undo(open).await;
                } else {
                    self.undo(open).await;
                    job.answer(None);
                }
                Ok(())
            }
        }
    }

    /// Whether a job that met it is run again, as itself. A query that would write
    /// is a defect of the query.
    fn runs_again(&self, fault: Fault) -> bool {
        match fault {
            Fault::Collision | Fault::Lost | Fault::Strained | Fault::Several => true,
            Fault::ReadOnly => self.purpose == Purpose::Write,
            _ => false,
        }
    }

    /// Whether a job is a query of one statement, which has its snapshot without a
    /// transaction. All are believed to be until one of their code has shown that it
    /// is not; that one runs again.
    fn is_single(&self, job: &dyn Job) -> bool {
        self.purpose == Purpose::Read && !self.line.several.borrow().contains(&job.kind())
    }

    /// What one job sees of the connection.
    pub(super) fn tx(&self, open: &Open) -> Tx {
        let hub = &self.line.hub;
        let statements = match self.purpose {
            Purpose::Read => &hub.read_statements,
            _ => &hub.statements,
        };
        let session = Session::new(open.clone(), self.line.options.answer_within(), hub.clone());
        Tx::over_postgres(session, hub.listeners.clone(), statements.clone())
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
                if self.runs_again(fault) {
                    return Err((job, fault, error.to_string()));
                }
                let other = || StoreError::Database(sea_orm::DbErr::Custom(error.to_string()));
                job.answer(Some(self.verdict(fault, false).unwrap_or_else(other)));
            }
            Err(error) => job.answer(Some(self.unknown(&error.to_string()))),
        }
        Ok(())
    }

    /// What a unit is told whose commit was not answered.
    pub(super) fn unknown(&self, reason: &str) -> StoreError {
        let store = self.line.hub.name.clone();
        self.line.hub.unanswered.fetch_add(1, Ordering::Relaxed);
        tracing::error!(store, reason, "the answer to a commit was lost");
        StoreError::Unknown {
            store,
            reason: reason.to_owned(),
        }
    }

    /// A connection with an open transaction.
    pub(super) async fn begin(&self, how: &'static str, extent: Extent) -> sqlx::Result<Open> {
        let link = self.link().await?;
        if let Err(error) = self.say(&link, how).await {
            // The others are as old, and most likely as broken.
            self.drop_idle();
            return Err(error);
        }
        self.line.reached();
        Ok(Open::new(link, extent))
    }

    async fn without_transaction(&self) -> sqlx::Result<Open> {
        Ok(Open::new(self.link().await?, Extent::Single))
    }

    /// Runs what has no parameters and no rows.
    pub(super) async fn say(&self, link: &Link, sql: &'static str) -> sqlx::Result<()> {
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
                self.drop_idle();
                Err(error)
            }
        }
    }

    /// Leaves no transaction open; a connection that cannot say so is dropped.
    pub(super) async fn undo(&self, open: Open) {
        if open.extent == Extent::Single || self.say(&open.link, "ROLLBACK").await.is_ok() {
            self.give_back(open.link);
        }
    }

    /// Ends the connections that nobody uses: they are as old, or lead to the same server.
    pub(super) fn drop_idle(&self) {
        self.idle.borrow_mut().clear();
    }

    pub(super) fn give_back(&self, link: Link) {
        self.idle.borrow_mut().push(link);
    }
}
