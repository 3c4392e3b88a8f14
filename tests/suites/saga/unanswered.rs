//! A commit is made and its answer lost on the way. Whatever it was about goes on
//! once that shows, and not only when the engine's claim has lapsed.

use std::time::{Duration, Instant};

use cleave_saga::SagaStatus;
use cleave_store::{PostgresOptions, Store, UnitError};
use cleave_tests::postgres::{self, Cut, Proxy};
use cleave_vocabulary::{Clock, IdSource, SagaId, UuidV7Ids};

use super::bench::{Bench, PATIENCE, Running, Setup, in_backoff};
use super::provider::Act;

async fn before_a_server() -> (Bench, Proxy) {
    let url = postgres::shared().schema().await;
    let proxy = Proxy::before(&url).await;
    let store = Store::open_postgres("saga", &proxy.url, &PostgresOptions::default()).await;
    let bench = Bench::over_postgres(store.expect("opens"), Setup::default()).await;
    (bench, proxy)
}

fn cut_the_next_answer(proxy: &Proxy) {
    proxy.cut(Cut {
        at: "COMMIT",
        heard: true,
    });
}

/// Lets less time pass than a claim lasts, until the saga has come to its end.
async fn goes_on(bench: &Bench, running: &Running, id: SagaId) {
    let (begun, options) = (Instant::now(), &bench.setup.options);
    let lapses = bench.clock.now().plus(options.lease);
    loop {
        let view = bench.view(&running.engine, id).await;
        if view.status.is_settled() {
            assert_eq!(view.status, SagaStatus::Completed);
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "it never did: {view:?}");
        if bench.clock.now().plus(options.poll) < lapses {
            bench.clock.advance(options.poll);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ends_exactly(bench: Bench, proxy: Proxy, running: Running, id: SagaId, case: &str) {
    goes_on(&bench, &running, id).await;
    assert!(proxy.has_cut(), "{case}");
    bench.assert_exact(&running.engine, id, case).await;
    running.stop().await;
    bench.store.close().await;
}

#[tokio::test]
async fn a_saga_goes_on_whose_beginning_was_not_answered() {
    let (bench, proxy) = before_a_server().await;
    let running = bench.start();
    // It runs, and so it claims what is begun.
    let first = bench.begin(&running.engine, 0).await;
    bench.settle(&running.engine, first).await;
    let ids: &dyn IdSource = &UuidV7Ids;
    let id = ids.next();
    cut_the_next_answer(&proxy);
    let begun = bench.try_begin(&running.engine, id, 0).await;
    assert!(
        matches!(&begun, Err(UnitError::Failed(error)) if error.outcome_unknown()),
        "{begun:?}"
    );
    ends_exactly(bench, proxy, running, id, "begun").await;
}

#[tokio::test]
async fn a_saga_goes_on_whose_claim_was_not_answered() {
    let (bench, proxy) = before_a_server().await;
    bench.provider.script("b", [Act::Fail]);
    let running = bench.start();
    let id = bench.begin(&running.engine, 0).await;
    while !in_backoff(&bench.view(&running.engine, id).await) {
        tokio::task::yield_now().await;
    }
    cut_the_next_answer(&proxy);
    ends_exactly(bench, proxy, running, id, "claimed").await;
}

#[tokio::test]
async fn a_saga_goes_on_whose_move_was_not_answered() {
    let (bench, proxy) = before_a_server().await;
    bench.provider.script("b", [Act::Gate]);
    let running = bench.start();
    let id = bench.begin(&running.engine, 0).await;
    bench.provider.until_hanging(1).await;
    cut_the_next_answer(&proxy);
    bench.provider.open();
    ends_exactly(bench, proxy, running, id, "moved").await;
}
