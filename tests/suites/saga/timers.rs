//! What waits, waits in the database.

use cleave_saga::SagaStatus;
use cleave_vocabulary::Clock;

use super::bench::{Bench, LAPSE, Setup, in_backoff, subject};
use super::provider::Act;

#[tokio::test]
async fn a_timer_survives_the_engine_and_is_not_early() {
    let bench = Bench::open(Setup::default()).await;
    bench.provider.script("b", [Act::Fail]);
    let first = bench.start();
    let id = bench.begin(&first.engine, 0).await;
    let waiting = bench.until(&first.engine, id, in_backoff).await;
    first.crash().await;

    let second = bench.start();
    // Another errand runs through; the one that waits does not move.
    let other = bench.begin(&second.engine, 0).await;
    second
        .engine
        .wait_settled(&subject(other), bench.clock.now().plus(LAPSE))
        .await
        .expect("reads");
    let view = bench.view(&second.engine, id).await;
    assert_eq!(view.next_attempt_at, waiting.next_attempt_at);
    assert_eq!(view.status, SagaStatus::Waiting);
    assert_eq!(
        bench.settle(&second.engine, id).await.status,
        SagaStatus::Completed
    );
    bench.assert_exact(&second.engine, id, "timer").await;
    second.stop().await;
}

#[tokio::test]
async fn an_engine_with_nothing_to_do_writes_nothing() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    let id = bench.begin(&running.engine, 0).await;
    bench.settle(&running.engine, id).await;
    let (before, looked) = (bench.store.write_stats(), bench.store.read_stats().reads);
    for _ in 0..10 {
        let reads = bench.store.read_stats().reads;
        bench.clock.advance(running_poll(&bench));
        while bench.store.read_stats().reads == reads {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(bench.store.write_stats(), before);
    assert_eq!(bench.store.read_stats().reads, looked + 10);
    running.stop().await;
}

fn running_poll(bench: &Bench) -> std::time::Duration {
    bench.setup.options.poll
}

#[tokio::test]
async fn whoever_waits_for_an_end_is_told_or_gets_the_status_at_the_deadline() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    let engine = &running.engine;
    let soon = bench.clock.now().plus(bench.setup.options.poll);
    let nobody = engine.wait_settled("nobody", soon).await.expect("reads");
    assert_eq!(nobody, None);

    bench.provider.script("b", [Act::Gate]);
    let id = bench.begin(engine, 0).await;
    bench.provider.until_hanging(1).await;
    let subject = subject(id);
    let told = engine.wait_settled(&subject, soon.plus(LAPSE));
    let opened = async {
        tokio::task::yield_now().await;
        bench.provider.open();
    };
    let (told, ()) = tokio::join!(told, opened);
    assert_eq!(told.expect("reads"), Some(SagaStatus::Completed));

    bench.provider.script("b", [Act::Fail]);
    let id = bench.begin(engine, 0).await;
    bench.until(engine, id, in_backoff).await;
    let now = bench.clock.now();
    let late = engine.wait_settled(&super::bench::subject(id), now).await;
    assert_eq!(late.expect("reads"), Some(SagaStatus::Waiting));
    running.stop().await;
}
