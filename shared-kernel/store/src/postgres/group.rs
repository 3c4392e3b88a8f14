//! Group commit: units that come while another is under way join its
//! transaction, one behind the other, and share its commit.
//!
//! As on SQLite, nearly every unit wants to be kept, so a group runs without
//! savepoints: where one fails, or has written something and wants to be undone,
//! nothing is kept and each unit runs again in a transaction of its own.
//!
//! A group takes its locks in no order, so two can wait for each other: no unit of
//! one waits for a lock for long, and where that came about groups run one behind
//! the other for a while (see [`Caution`]).

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::Fault;
use super::caution::{Caution, Manner};
use super::fault::is_rollback;
use super::lane::Lane;
use super::session::{Extent, Link, Open};
use super::target::Purpose;
use crate::job::Job;
use crate::tx::Effects;

/// How long a unit waits for a group to take it in before it begins one itself.
const PATIENCE: Duration = Duration::from_millis(2);
/// For how long a group takes others in.
const SPAN: Duration = Duration::from_millis(20);
/// Begins a group; nobody in it waits for a lock for long.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '100ms'";
/// How long that is.
const LOCKS: Duration = Duration::from_millis(100);

/// Units that nobody runs yet.
pub(super) struct Waiting {
    queue: RefCell<mpsc::Receiver<Box<dyn Job>>>,
    /// The first, once it has left the queue.
    offered: RefCell<Option<Box<dyn Job>>>,
    taken: Notify,
    /// Groups that take others in.
    groups: Cell<usize>,
    pub(super) caution: Caution,
}

impl Waiting {
    pub(super) fn new(queue: mpsc::Receiver<Box<dyn Job>>) -> Self {
        Self {
            queue: queue.into(),
            offered: RefCell::default(),
            taken: Notify::new(),
            groups: Cell::default(),
            caution: Caution::default(),
        }
    }

    /// The next unit, until nobody can bring any more, or `closing` and the queue
    /// is empty.
    pub(super) async fn next(&self, closing: &CancellationToken) -> Option<Box<dyn Job>> {
        let next = || poll_fn(|context| self.queue.borrow_mut().poll_recv(context));
        let closed = self.queue.borrow().is_closed();
        tokio::select! {
            biased;
            job = next() => job,
            () = closing.cancelled(), if !closed => {
                self.queue.borrow_mut().close();
                next().await
            }
        }
    }

    /// Lets a group take the unit in; gives it back where none does.
    pub(super) async fn offer(&self, job: Box<dyn Job>) -> Option<Box<dyn Job>> {
        if self.groups.get() == 0 {
            return Some(job);
        }
        *self.offered.borrow_mut() = Some(job);
        // Whichever ended the wait: what is still there nobody took.
        let _ = timeout(PATIENCE, self.taken.notified()).await;
        self.offered.borrow_mut().take()
    }

    fn take(&self) -> Option<Box<dyn Job>> {
        let offered = self.offered.borrow_mut().take();
        if offered.is_some() {
            self.taken.notify_waiters();
        }
        offered.or_else(|| self.queue.borrow_mut().try_recv().ok())
    }
}

/// Counts a group that takes others in, however it ends.
struct Taking<'a>(&'a Cell<usize>);

impl<'a> Taking<'a> {
    fn new(groups: &'a Cell<usize>) -> Self {
        groups.set(groups.get() + 1);
        Self(groups)
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Units that have run in one transaction.
#[derive(Default)]
struct Group {
    jobs: Vec<Box<dyn Job>>,
    /// What those of them asked for that are to be kept.
    effects: Vec<Effects>,
}

impl Lane {
    /// Runs a unit, and those that join it where that is wise.
    pub(super) async fn work(&self, first: Box<dyn Job>, waiting: &Waiting) {
        let grouped = self.purpose == Purpose::Write && self.line.options.group_limit > 1;
        let manner = if grouped {
            waiting.caution.next()
        } else {
            Manner::Alone
        };
        let _turn = match manner {
            Manner::InTurn => Some(waiting.caution.turn().await),
            _ => None,
        };
        let alone = match manner {
            Manner::Alone => vec![first],
            _ => self.together(first, waiting).await,
        };
        for job in alone {
            self.serve(job).await;
        }
    }

    /// Runs a unit and those that come meanwhile in one transaction. Gives back
    /// those that have to run again, each alone.
    async fn together(&self, first: Box<dyn Job>, waiting: &Waiting) -> Vec<Box<dyn Job>> {
        if self.given_up() {
            return vec![first];
        }
        // Where units wait for less than that, so do groups.
        let impatient = self.line.options.lock_timeout <= LOCKS;
        let how = if impatient { "BEGIN" } else { BEGIN };
        let Ok(open) = self.begin(how, Extent::Group).await else {
            return vec![first];
        };
        let mut group = Group::default();
        match self.fill(&mut group, first, &open, waiting).await {
            Ok(()) => self.keep(group, open.link).await,
            Err(fault) => {
                match fault {
                    // Those that nobody uses lead to the same server.
                    Some(Fault::ReadOnly) => self.drop_idle(),
                    Some(Fault::Lost) => {}
                    _ => self.undo(open).await,
                }
                self.undone(group.jobs, fault, waiting)
            }
        }
    }

    /// Those that have to run again: all, but for one that was in no company and
    /// does not want to be kept.
    fn undone(
        &self,
        mut jobs: Vec<Box<dyn Job>>,
        fault: Option<Fault>,
        waiting: &Waiting,
    ) -> Vec<Box<dyn Job>> {
        if fault.is_none()
            && jobs.len() == 1
            && let Some(job) = jobs.pop()
        {
            job.answer(None);
            return jobs;
        }
        waiting.caution.warn(fault);
        let store = self.line.hub.name.clone();
        metrics::counter!("cleave_store_groups_undone_total", "store" => store).increment(1);
        jobs
    }

    /// Runs units until nobody waits or the group is as large as it may be; fails
    /// where one of them cannot be kept together with the others.
    async fn fill(
        &self,
        group: &mut Group,
        first: Box<dyn Job>,
        open: &Open,
        waiting: &Waiting,
    ) -> Result<(), Option<Fault>> {
        let taking = Taking::new(&waiting.groups);
        let (started, limit) = (Instant::now(), self.line.options.group_limit);
        let mut next = Some(first);
        while let Some(mut job) = next {
            let tx = self.tx(open);
            let keep = job.run_remotely(&tx).await;
            group.jobs.push(job);
            if keep {
                group.effects.push(tx.take_effects());
            }
            let fault = tx.fault();
            if fault.is_some() || (!keep && tx.has_written()) {
                return Err(fault);
            }
            let more = group.jobs.len() < limit && started.elapsed() < SPAN;
            next = more.then(|| waiting.take()).flatten();
        }
        drop(taking);
        let tx = self.tx(open);
        let written = tx.write_pending().await;
        written.map_err(|_| tx.fault())
    }

    async fn keep(&self, group: Group, link: Link) -> Vec<Box<dyn Job>> {
        let Group { jobs, effects } = group;
        let hub = &self.line.hub;
        let failure = match self.say(&link, "COMMIT").await {
            Ok(()) => {
                self.give_back(link);
                if !effects.is_empty() {
                    let units = u64::try_from(effects.len()).unwrap_or(u64::MAX);
                    hub.units.fetch_add(units, Ordering::Relaxed);
                    hub.commits.fetch_add(1, Ordering::Relaxed);
                }
                hub.announce(effects);
                None
            }
            Err(error) if is_rollback(&error) => {
                self.give_back(link);
                return jobs;
            }
            Err(error) => Some(error.to_string()),
        };
        for job in jobs {
            job.answer(failure.as_deref().map(|reason| self.unknown(reason)));
        }
        Vec::new()
    }
}
