//! When nothing goes wrong.

use cleave_saga::SagaStatus;

use super::bench::{Bench, Setup};
use super::provider::Act;

#[tokio::test]
async fn an_errand_runs_through_all_its_steps() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    let id = bench.begin(&running.engine, 0).await;
    let view = bench.settle(&running.engine, id).await;
    assert_eq!(view.status, SagaStatus::Completed);
    bench.assert_exact(&running.engine, id, "happy").await;
    assert_eq!(
        bench.told(id).await,
        ["done a", "done b", "done c", "done d"]
    );
    assert_eq!(
        bench.log_lines(id).await,
        [
            "action a started 1",
            "action a done 1",
            "action b started 1",
            "action b done 1",
            "action c started 1",
            "action c done 1",
            "action d started 1",
            "action d done 1",
        ]
    );
    running.stop().await;
}

#[tokio::test]
async fn steps_of_the_callers_own_unit_are_logged_as_done() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    let id = bench.begin(&running.engine, 1).await;
    bench.settle(&running.engine, id).await;
    let log = bench.log_lines(id).await;
    assert_eq!(
        log[..3],
        ["action a done 1", "action b started 1", "action b done 1"]
    );
    assert_eq!(bench.provider.calls(), ["act b", "act c", "act d"]);
    running.stop().await;
}

#[tokio::test]
async fn a_commit_costs_the_engine_two_statements() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    let first = bench.begin(&running.engine, 1).await;
    bench.settle(&running.engine, first).await;
    let before = bench.store.write_stats().statements;
    let id = bench.begin(&running.engine, 1).await;
    bench.settle(&running.engine, id).await;
    let spent = bench.store.write_stats().statements - before;
    // To begin, and for each of three steps; and each step's hook has one of its own.
    assert_eq!(spent, 2 + 3 * (2 + 1));
    running.stop().await;
}

#[tokio::test]
async fn what_begins_before_the_engine_runs_is_driven_once_it_does() {
    let bench = Bench::open(Setup::default()).await;
    let engine = bench.bare_engine();
    engine.register(bench.errand::<1>()).expect("registers");
    let id = bench.begin(&engine, 0).await;
    assert!(bench.provider.calls().is_empty());
    let running = Bench::run(engine);
    let view = bench.settle(&running.engine, id).await;
    assert_eq!(view.status, SagaStatus::Completed);
    bench
        .assert_exact(&running.engine, id, "begun before")
        .await;
    running.stop().await;
}

#[tokio::test]
async fn more_sagas_than_fit_in_memory_are_driven_all_the_same() {
    let mut setup = Setup::default();
    setup.options.concurrency = 1;
    let bench = Bench::open(setup).await;
    let running = bench.start();
    bench.provider.script("a", [Act::Gate]);
    let mut ids = vec![bench.begin(&running.engine, 0).await];
    bench.provider.until_hanging(1).await;
    for _ in 0..40 {
        ids.push(bench.begin(&running.engine, 0).await);
    }
    assert_eq!(running.engine.unowned().await.expect("reads"), []);
    bench.provider.open();
    for id in ids {
        let view = bench.settle(&running.engine, id).await;
        assert_eq!(view.status, SagaStatus::Completed);
    }
    running.stop().await;
}
