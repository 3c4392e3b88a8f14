//! Engines of several processes over one schema of a Postgres server.

use std::time::Duration;

use cleave_saga::SagaStatus;
use cleave_store::{OwnClock, PostgresOptions, Store};
use cleave_tests::clocks::Ahead;
use cleave_tests::postgres;
use cleave_vocabulary::{Clock, ManualClock, SagaId};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::bench::{Bench, LAPSE, Running, Setup};
use super::provider::Act;

const WRONG: Duration = Duration::from_mins(10);
/// How long a statement may wait for a lock.
const WAIT: Duration = Duration::from_mins(1);

fn shared() -> Setup {
    Setup {
        sole_owner: false,
        ..Setup::default()
    }
}

/// Waits until a saga has settled, while time passes by such steps.
async fn settled(bench: &Bench, running: &Running, id: SagaId, step: Duration) {
    while !bench.view(&running.engine, id).await.status.is_settled() {
        bench.clock.advance(step);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The store of a process on a machine with such a clock.
async fn open(url: &str, clock: OwnClock) -> Store {
    let options = PostgresOptions {
        clock,
        clock_tolerance: WRONG * 2,
        lock_timeout: WAIT,
        statement_timeout: WAIT,
        ..PostgresOptions::default()
    };
    let store = Store::open_postgres("saga", url, &options).await;
    let store = store.expect("opens");
    store.share();
    store.occupy().await.expect("shared");
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_clock_is_wrong_takes_no_saga_from_one_that_lives() {
    let url = postgres::shared().schema().await;
    let store = open(&url, OwnClock::default()).await;
    let bench = Bench::over_postgres(store, shared()).await;
    let right = bench.start();
    bench.provider.script("b", [Act::Gate]);
    let id = bench.begin(&right.engine, 0).await;
    bench.provider.until_hanging(1).await;

    let wrong = ManualClock::at(bench.clock.now().plus(WRONG));
    let apart = open(&url, Ahead(WRONG).own()).await;
    let other = bench.start_over(apart.clone(), wrong);
    // By now it has looked for what is due, and for who is gone.
    let probe = bench.begin(&other.engine, 0).await;
    settled(&bench, &other, probe, Duration::ZERO).await;
    let log = bench.log_lines(id).await;
    assert_eq!(log.last().map(String::as_str), Some("action b started 1"));

    bench.provider.open();
    let view = bench.settle(&right.engine, id).await;
    assert_eq!(view.status, SagaStatus::Completed);
    let log = bench.log_lines(id).await;
    assert!(
        log.iter().all(|line| !line.contains("resolved")),
        "{log:#?}"
    );
    bench.assert_exact(&right.engine, id, "clocks apart").await;
    other.stop().await;
    right.stop().await;
    apart.close().await;
    bench.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sagas_that_are_due_do_not_wait_for_one_that_somebody_holds() {
    let url = postgres::shared().schema().await;
    let mut setup = shared();
    // Found by their claims, not by the silence of who held them.
    setup.options.presence = LAPSE * 2;
    let bench = Bench::over_postgres(open(&url, OwnClock::default()).await, setup).await;
    let dead = bench.start();
    bench.provider.always("b", Act::Gate);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(bench.begin(&dead.engine, 0).await);
        bench.clock.advance(Duration::from_millis(1));
    }
    bench.provider.until_hanging(3).await;
    dead.crash().await;
    bench.provider.always("b", Act::Done);

    let (server, schema) = url.split_once("?schema=").expect("it names a schema");
    let mut holder = PgConnection::connect(server).await.expect("connects");
    let hold = format!(
        "BEGIN; SELECT 1 FROM {schema}.saga WHERE id = '{}' FOR UPDATE",
        ids[0].uuid()
    );
    let held = holder.execute(sqlx::raw_sql(AssertSqlSafe(hold))).await;
    held.expect("held");
    bench.clock.advance(LAPSE);
    let heir = bench.start();
    let others = async {
        for id in &ids[1..] {
            settled(&bench, &heir, *id, Duration::ZERO).await;
        }
    };
    let others = tokio::time::timeout(WAIT / 2, others).await;
    others.expect("they are claimed at once");
    let free = holder.execute("ROLLBACK").await;
    free.expect("let go of");
    let poll = bench.setup.options.poll;
    settled(&bench, &heir, ids[0], poll).await;
    heir.stop().await;
    bench.store.close().await;
}
