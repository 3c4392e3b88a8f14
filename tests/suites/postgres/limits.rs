//! The limits of `database.postgres`, each reached: statements that take too long,
//! a holder that stops, and collisions that do not end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cleave_store::{PostgresOptions, Store, StoreError, StoreHealth, Tx, Unit};
use parking_lot::Mutex;
use sea_orm::ConnectionTrait;

use super::store::{add, bench, count, error, other, say, until};

/// How often a unit trips, and by which code.
pub(super) struct Trips {
    pub(super) code: &'static str,
    pub(super) times: u32,
}

/// Sequences count what is rolled back, too.
const TRIP: &str = "\
CREATE SEQUENCE IF NOT EXISTS tries; ALTER SEQUENCE tries RESTART; \
CREATE OR REPLACE FUNCTION trip(code text, times bigint) RETURNS void LANGUAGE plpgsql AS $$ \
BEGIN IF nextval('tries') <= times THEN RAISE EXCEPTION 'in the way' USING ERRCODE = code; END IF; END $$";

/// Runs a unit that adds one to a, and how often it ran.
pub(super) async fn trip(store: &Store, trips: Trips) -> (Unit<()>, u32) {
    let made: Unit<()> = store
        .write(async |tx: &Tx| Ok(tx.execute_unprepared(TRIP).await.map(drop)?))
        .await;
    made.expect("made");
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    let sql = format!("SELECT trip('{}', {})", trips.code, trips.times);
    let unit = async move |tx: &Tx| -> Unit<()> {
        counted.fetch_add(1, Ordering::SeqCst);
        add(tx, "a").await?;
        tx.execute_unprepared(&sql).await?;
        Ok(())
    };
    let outcome = store.write(unit).await;
    (outcome, runs.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_collision_is_tried_again_as_often_as_the_setting_says() {
    let options = PostgresOptions {
        retries: 2,
        group_limit: 1,
        ..PostgresOptions::default()
    };
    let (store, _) = bench(options).await;
    let code = "40001";
    let (kept, runs) = trip(&store, Trips { code, times: 2 }).await;
    kept.expect("kept");
    assert_eq!((runs, count(&store, "a").await), (3, 1));
    let (lasting, runs) = trip(&store, Trips { code, times: 3 }).await;
    let lasting = error(lasting);
    assert!(
        matches!(lasting, StoreError::Contended { attempts: 3, .. }) && lasting.is_passing(),
        "{lasting}"
    );
    assert_eq!((runs, count(&store, "a").await), (3, 1));
    assert_eq!(store.health(), StoreHealth::Ready);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_comes_to_an_end() {
    let options = PostgresOptions {
        statement_timeout: Duration::from_secs(1),
        ..PostgresOptions::default()
    };
    let (store, _) = bench(options).await;
    let asleep: Unit<()> = store
        .write(async |tx: &Tx| {
            add(tx, "a").await?;
            tx.execute_unprepared("SELECT pg_sleep(60)").await?;
            Ok(())
        })
        .await;
    let late = error(asleep);
    assert!(
        matches!(late, StoreError::TimedOut { .. }) && late.is_passing(),
        "{late}"
    );
    assert_eq!(count(&store, "a").await, 0);
    assert_eq!(store.health(), StoreHealth::Ready);
}

#[tokio::test]
async fn a_holder_that_stops_loses_its_locks_and_runs_again() {
    let options = PostgresOptions {
        idle_in_transaction_timeout: Duration::from_secs(2),
        ..PostgresOptions::default()
    };
    let (store, url) = bench(options).await;
    let (go_on, stopped) = std::sync::mpsc::channel::<()>();
    let (stopped, runs) = (Mutex::new(stopped), Arc::new(AtomicU32::new(0)));
    let (counted, writer) = (runs.clone(), store.clone());
    let unit = tokio::task::spawn(async move {
        let unit = async move |tx: &Tx| -> Unit<()> {
            add(tx, "a").await?;
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                // As a process does that is stopped: its whole thread.
                stopped.lock().recv().expect("the test goes on");
            }
            Ok(add(tx, "b").await?)
        };
        writer.write(unit).await
    });
    until("a unit that holds a lock", async || {
        runs.load(Ordering::SeqCst) == 1
    })
    .await;
    let mut waiting = other(&url).await;
    let take = "SET lock_timeout = '10s'; UPDATE thing SET n = n + 10 WHERE name = 'a'";
    say(&mut waiting, take).await;
    go_on.send(()).expect("the unit waits");
    unit.await.expect("ends").expect("kept");
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(
        (count(&store, "a").await, count(&store, "b").await),
        (11, 1)
    );
}
