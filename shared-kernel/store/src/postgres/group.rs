//! Group commit: units that come while another is under way join its
//! transaction, one behind the other, and share its commit. A group begins beside
//! another only for a unit that has waited for long: what a server near by ends in
//! that time makes the next group larger, and one far away gets several at once.
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
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Fault;
use super::caution::{Caution, Manner};
use super::fault::is_rollback;
use super::lane::Lane;
use super::session::{Extent, Link, Open};
use super::target::Purpose;
use crate::job::Job;
use crate::tx::Effects;

/// For how long a group takes others in.
const SPAN: Duration = Duration::from_millis(20);
/// Begins a group; nobody in it waits for a lock for long.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '100ms'";
/// How long that is.
const LOCKS: Duration = Duration::from_millis(100);

/// A unit in the queue, and since when.
pub(super) struct Entry {
    job: Box<dyn Job>,
    since: Instant,
}

impl Entry {
    pub(super) fn new(job: Box<dyn Job>) -> Self {
        Self {
            job,
            since: Instant::now(),
        }
    }
}

/// Units that nobody runs yet.
pub(super) struct Waiting {
    queue: RefCell<mpsc::Receiver<Entry>>,
    /// The first, once it has left the queue.
    offered: RefCell<Option<Box<dyn Job>>>,
    /// It was taken, or a group has ended.
    moved: Notify,
    /// Groups that have not ended.
    under_way: Cell<usize>,
    /// How long a unit waits before a group begins beside others.
    patience: Duration,
    pub(super) caution: Caution,
}

impl Waiting {
    pub(super) fn new(queue: mpsc::Receiver<Entry>, patience: Duration) -> Self {
        Self {
            queue: queue.into(),
            offered: RefCell::default(),
            moved: Notify::new(),
            under_way: Cell::default(),
            patience,
            caution: Caution::default(),
        }
    }

    /// The next unit, until nobody can bring any more, or `closing` and the queue
    /// is empty.
    pub(super) async fn next(&self, closing: &CancellationToken) -> Option<Entry> {
        let next = || poll_fn(|context| self.queue.borrow_mut().poll_recv(context));
        let closed = self.queue.borrow().is_closed();
        tokio::select! {
            biased;
            entry = next() => entry,
            () = closing.cancelled(), if !closed => {
                self.queue.borrow_mut().close();
                next().await
            }
        }
    }

    /// Lets a group take the unit in, or end before the next one begins; gives the unit
    /// back where none took it.
    pub(super) async fn offer(&self, entry: Entry) -> Option<Box<dyn Job>> {
        if self.under_way.get() == 0 {
            return Some(entry.job);
        }
        *self.offered.borrow_mut() = Some(entry.job);
        // Whichever ended the wait: what is still there nobody took.
        let _ = timeout_at(entry.since + self.patience, self.moved.notified()).await;
        self.offered.borrow_mut().take()
    }

    /// Counts a group from here until what this returns is gone.
    pub(super) fn begun(self: &Rc<Self>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        UnderWay(self.clone())
    }

    fn take(&self) -> Option<Box<dyn Job>> {
        let offered = self.offered.borrow_mut().take();
        if offered.is_some() {
            self.moved.notify_waiters();
        }
        offered.or_else(|| Some(self.queue.borrow_mut().try_recv().ok()?.job))
    }
}

/// A group that has not ended.
pub(super) struct UnderWay(Rc<Waiting>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
        self.0.moved.notify_waiters();
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
    /// How the next unit runs.
    pub(super) fn manner(&self, waiting: &Waiting) -> Manner {
        if self.purpose == Purpose::Write && self.line.options.group_limit > 1 {
            waiting.caution.next()
        } else {
            Manner::Alone
        }
    }

    /// Runs a unit, and those that join it where that is wise.
    pub(super) async fn work(
        &self,
        first: Box<dyn Job>,
        manner: Manner,
        under_way: Option<UnderWay>,
        waiting: &Waiting,
    ) {
        let _turn = match manner {
            Manner::InTurn => Some(waiting.caution.turn().await),
            _ => None,
        };
        let alone = match manner {
            Manner::Alone => vec![first],
            _ => self.together(first, waiting).await,
        };
        drop(under_way);
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::sleep;

    use super::*;
    use crate::Unit;
    use crate::job::job;

    /// Nothing here waits for so long.
    const PATIENCE: Duration = Duration::from_hours(1);

    fn entry() -> Entry {
        let (job, _outcome) = job(async |_| -> Unit<()> { Ok(()) });
        Entry::new(job)
    }

    fn waiting() -> (mpsc::Sender<Entry>, Rc<Waiting>) {
        let (queue, units) = mpsc::channel(9);
        (queue, Rc::new(Waiting::new(units, PATIENCE)))
    }

    #[tokio::test]
    async fn a_unit_waits_for_no_group_where_there_is_none() {
        let (_queue, waiting) = waiting();
        assert!(waiting.offer(entry()).now_or_never().flatten().is_some());
        drop(waiting.begun());
        assert!(waiting.offer(entry()).now_or_never().flatten().is_some());
    }

    #[tokio::test]
    async fn a_group_takes_in_who_waits_and_those_behind() {
        let (queue, waiting) = waiting();
        let _group = waiting.begun();
        assert!(queue.try_send(entry()).is_ok());
        let take = async { (waiting.take().is_some(), waiting.take().is_some()) };
        let (given_back, taken) = tokio::join!(waiting.offer(entry()), take);
        assert!(given_back.is_none());
        assert_eq!(taken, (true, true));
        assert!(waiting.take().is_none());
    }

    #[tokio::test]
    async fn the_next_group_begins_when_the_one_before_has_ended() {
        let (_queue, waiting) = waiting();
        let group = waiting.begun();
        let mut offered = Box::pin(waiting.offer(entry()));
        assert!((&mut offered).now_or_never().is_none());
        drop(group);
        assert!(offered.now_or_never().flatten().is_some());
    }

    #[tokio::test]
    async fn a_group_begins_beside_another_for_who_has_waited_since_it_came() {
        let (_queue, units) = mpsc::channel(9);
        let patience = Duration::from_millis(20);
        let waiting = Rc::new(Waiting::new(units, patience));
        let _group = waiting.begun();
        let long_ago = entry();
        sleep(patience * 2).await;
        assert!(waiting.offer(long_ago).now_or_never().flatten().is_some());
        let begun = Instant::now();
        assert!(waiting.offer(entry()).await.is_some());
        assert!(begun.elapsed() >= patience);
    }
}
