//! A lease has one holder, whose token every write asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cleave_lease::{Lease, Term, rows};
use cleave_messaging::Outbox;
use cleave_store::{Store, Tx, Unit, sql};
use cleave_tests::clocks::Ahead;
use cleave_tests::postgres;
use cleave_tests::stores::TempStore;
use cleave_vocabulary::{Clock, ManualClock, Timestamp};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{eventually, replica, replica_by};

const SPAN: Duration = Duration::from_secs(5);

async fn write<T: Send + 'static>(
    store: &Store,
    unit: impl AsyncFn(&Tx) -> Unit<T> + Send + 'static,
) -> T {
    store.write(unit).await.expect("written")
}

/// Tries to take the lease at a second of the epoch.
async fn acquire(store: &Store, at: u64) -> Option<i64> {
    let now = Timestamp::EPOCH.plus(Duration::from_secs(at));
    let until = now.plus(SPAN);
    write(store, async move |tx| {
        Ok(rows::acquire(tx, "work", "somebody", now, until).await?)
    })
    .await
}

async fn holds(store: &Store, token: i64) -> bool {
    write(store, async move |tx| {
        Ok(rows::holds(tx, "work", token).await?)
    })
    .await
}

#[tokio::test]
async fn it_has_one_holder_and_a_token_that_grows() {
    let temp = TempStore::open::<cleave_migrations::order::Migrator>().await;
    let store = &temp.store;
    assert_eq!(acquire(store, 10).await, Some(1));
    assert_eq!(acquire(store, 14).await, None);
    let later = Timestamp::EPOCH.plus(Duration::from_secs(19));
    let renewed = async move |tx: &Tx| Ok(rows::renew(tx, "work", 1, later).await?);
    assert!(write(store, renewed).await);
    assert_eq!(acquire(store, 16).await, None, "it was renewed");
    assert!(holds(store, 1).await);

    assert_eq!(acquire(store, 19).await, Some(2));
    assert!(!holds(store, 1).await, "its term is over");
    assert!(holds(store, 2).await);
    let stale = async move |tx: &Tx| Ok(rows::renew(tx, "work", 1, later).await?);
    assert!(!write(store, stale).await);
    let stale = async |tx: &Tx| Ok(rows::release(tx, "work", 1).await?);
    assert!(!write(store, stale).await);

    let released = async |tx: &Tx| Ok(rows::release(tx, "work", 2).await?);
    assert!(write(store, released).await);
    assert_eq!(acquire(store, 20).await, Some(3), "given back at once");
}

/// Somebody who works under the lease: how often at the moment, and the last term.
struct Worker {
    at_work: Arc<AtomicUsize>,
    term: Arc<Mutex<Option<Term>>>,
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Worker {
    fn start(store: &Store, clock: &ManualClock) -> Self {
        let lease = Lease::new(store.clone(), Arc::new(clock.clone()), "work", SPAN);
        let (at_work, term) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<_>>::default());
        let (seen, given) = (at_work.clone(), term.clone());
        let stop = CancellationToken::new();
        let until = stop.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let work = |term: Term, over: CancellationToken| {
                *given.lock() = Some(term);
                seen.fetch_add(1, Ordering::SeqCst);
                let seen = seen.clone();
                async move {
                    over.cancelled().await;
                    seen.fetch_sub(1, Ordering::SeqCst);
                }
            };
            lease.hold(&until, work).await;
        });
        Self {
            at_work,
            term,
            stop,
            task,
        }
    }

    fn works(&self) -> bool {
        self.at_work.load(Ordering::SeqCst) == 1
    }

    async fn until_it_works(&self) {
        eventually("the lease", async || self.works()).await;
    }

    /// Whether a unit of its may write.
    async fn may_write(&self, store: &Store) -> bool {
        let term = self.term.lock().clone().expect("it has worked");
        write(store, async move |tx| Ok(term.holds(tx).await?)).await
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.join_all().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_for_too_long_writes_nothing_more() {
    let url = postgres::shared().schema().await;
    let (one, other) = (replica(&url).await, replica(&url).await);
    let (still, clock) = (ManualClock::default(), ManualClock::default());
    let away = Worker::start(&one, &still);
    away.until_it_works().await;
    let heir = Worker::start(&other, &clock);
    assert!(away.may_write(&one).await);

    clock.advance(SPAN);
    heir.until_it_works().await;
    assert!(away.works(), "it knows of nothing");
    assert!(!away.may_write(&one).await);
    assert!(heir.may_write(&other).await);

    // It hears of it when it would renew.
    still.advance(SPAN);
    eventually("its end", async || !away.works()).await;
    heir.stop().await;
    away.stop().await;
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_takes_no_lease_before_its_time_and_keeps_none_beyond() {
    const WRONG: Duration = Duration::from_mins(10);
    let url = postgres::shared().schema().await;
    let (one, other) = (
        replica(&url).await,
        replica_by(&url, Ahead(WRONG).own()).await,
    );
    let right = ManualClock::default();
    let wrong = ManualClock::at(right.now().plus(WRONG));
    let holder = Worker::start(&one, &right);
    holder.until_it_works().await;
    let heir = Worker::start(&other, &wrong);
    eventually("its look", async || other.read_stats().reads > 0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!heir.works() && holder.may_write(&one).await);

    // Now the holder dies, and its time passes; then the heir does. How wrong a clock is
    // can only be measured, to some milliseconds.
    let past = SPAN + Duration::from_secs(1);
    let Worker { mut task, .. } = holder;
    task.shutdown().await;
    wrong.advance(past);
    right.advance(past);
    heir.until_it_works().await;
    let Worker { mut task, .. } = heir;
    task.shutdown().await;
    let last = Worker::start(&one, &right);
    right.advance(SPAN * 2);
    last.until_it_works().await;
    last.stop().await;
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_term_begins_while_a_unit_writes_for_one() {
    let url = postgres::shared().schema().await;
    let (one, other) = (replica(&url).await, replica(&url).await);
    assert_eq!(acquire(&one, 10).await, Some(1));
    let slow = format!(
        "SELECT pg_sleep(0.5) /* {} */",
        url.len() + std::process::id() as usize
    );
    let (sleep, asleep) = (slow.clone(), slow);
    let unit = async move |tx: &Tx| {
        let holds = rows::holds(tx, "work", 1).await?;
        sql::query(tx, sleep.as_str(), []).await?;
        sql::execute(tx, "UPDATE outbox_relay SET settled = 7", []).await?;
        Ok(holds)
    };
    let taking_over = async {
        eventually("the unit", async || {
            const ACTIVE: &str =
                "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = $1";
            let asleep = asleep.clone();
            let look = async move |tx: &Tx| -> Unit<bool> {
                let found = sql::query(tx, ACTIVE, [asleep.as_str().into()]).await?;
                Ok(!found.is_empty())
            };
            other.read(look).await.expect("read")
        })
        .await;
        assert_eq!(acquire(&other, 30).await, Some(2));
        let settled: Unit<i64> = other.read(Outbox::settled).await;
        assert_eq!(settled.expect("read"), 7, "it did not wait for the unit");
    };
    let (held, ()) = tokio::join!(write(&one, unit), taking_over);
    assert!(held);
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_gives_it_back_and_who_dies_keeps_it_for_its_time() {
    let url = postgres::shared().schema().await;
    let (one, other) = (replica(&url).await, replica(&url).await);
    let clock = ManualClock::default();
    let first = Worker::start(&one, &clock);
    first.until_it_works().await;
    let second = Worker::start(&other, &clock);
    // No time passes by this clock.
    first.stop().await;
    second.until_it_works().await;

    let Worker { mut task, .. } = second;
    task.shutdown().await;
    let third = Worker::start(&one, &clock);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!third.works(), "it is the dead one's still");
    clock.advance(SPAN);
    third.until_it_works().await;
    assert!(clock.now() > Timestamp::EPOCH);
    third.stop().await;
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nobody_else_can_reach_needs_no_lease() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = cleave_store::SqliteOptions::default();
    let store = Store::open_sqlite("order", folder.path().join("order.db"), &options);
    let store = store.expect("opens");
    // There is not even a table.
    store.share();
    let worker = Worker::start(&store, &ManualClock::default());
    worker.until_it_works().await;
    assert!(worker.may_write(&store).await);
    worker.stop().await;
    assert_eq!(store.write_stats().statements, 0);
}
