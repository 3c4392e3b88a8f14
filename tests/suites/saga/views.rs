//! What people see of sagas.

use cleave_saga::{SagaFilter, SagaStatus, SagaView};
use insta::assert_json_snapshot;
use insta::internals::{Content, ContentPath};

use super::bench::{Bench, Setup, subject};
use super::provider::{Act, Lands};

fn masked(view: &SagaView) -> SagaView {
    assert_eq!(view.subject, subject(view.id));
    SagaView {
        subject: "about-[id]".into(),
        ..view.clone()
    }
}

fn time_if_any(time: Content, _path: ContentPath<'_>) -> Content {
    if time.is_nil() { time } else { "[time]".into() }
}

#[tokio::test]
async fn a_saga_tells_how_its_steps_went() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    bench.provider.script("b", [Act::Unknown(Lands::Done)]);
    bench.provider.script("c", [Act::Refuse]);
    bench.provider.fail_undo("b", u32::MAX);
    let id = bench.begin(&running.engine, 1).await;
    let view = bench.settle(&running.engine, id).await;
    assert!(view.updated_at >= view.created_at);
    assert_json_snapshot!(masked(&view), {
        ".id" => "[id]", ".updated_at" => "[time]", ".created_at" => "[time]",
        ".steps[].*.started_at" => insta::dynamic_redaction(time_if_any),
        ".steps[].*.finished_at" => insta::dynamic_redaction(time_if_any),
    });
    running.stop().await;
}

#[tokio::test]
async fn the_log_tells_it_in_order() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    bench
        .provider
        .script("b", [Act::Fail, Act::Unknown(Lands::Never)]);
    bench.provider.script("c", [Act::Refuse]);
    let id = bench.begin(&running.engine, 1).await;
    bench.settle(&running.engine, id).await;
    let log = bench.log(id).await;
    assert!(
        log.windows(2)
            .all(|pair| pair[0].seq < pair[1].seq && pair[0].at <= pair[1].at)
    );
    let lines: Vec<_> = log
        .into_iter()
        .map(|line| {
            (
                line.phase,
                line.name,
                line.outcome,
                line.attempt,
                line.detail,
            )
        })
        .collect();
    assert_json_snapshot!(lines);
    running.stop().await;
}

#[tokio::test]
async fn sagas_are_listed_newest_first_by_status_and_subject() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    let engine = &running.engine;
    let mut ids = Vec::new();
    for round in 0..6 {
        if round % 2 == 0 {
            bench.provider.script("b", [Act::Refuse]);
        }
        let id = bench.begin(engine, 0).await;
        bench.settle(engine, id).await;
        ids.insert(0, id);
    }
    bench.provider.script("b", [Act::Gate]);
    let acting = bench.begin(engine, 0).await;
    bench.provider.until_hanging(1).await;

    let list = async |filter: SagaFilter| -> Vec<_> {
        let views = engine.list(filter).await.expect("reads");
        views.into_iter().map(|view| view.id).collect()
    };
    let all = SagaFilter {
        limit: 100,
        ..SagaFilter::default()
    };
    let of = |status| SagaFilter {
        status: Some(status),
        ..all.clone()
    };
    assert_eq!(list(all.clone()).await.len(), 7);
    assert_eq!(list(of(SagaStatus::Pending)).await, [acting]);
    assert_eq!(
        list(of(SagaStatus::Completed)).await,
        [ids[0], ids[2], ids[4]]
    );
    assert_eq!(
        list(of(SagaStatus::Compensated)).await,
        [ids[1], ids[3], ids[5]]
    );
    assert_eq!(list(of(SagaStatus::Stuck)).await, []);
    let page = SagaFilter {
        before: Some(ids[1]),
        limit: 2,
        ..SagaFilter::default()
    };
    assert_eq!(list(page).await, [ids[2], ids[3]]);
    let about = SagaFilter {
        subject: Some(subject(ids[3])),
        ..all.clone()
    };
    assert_eq!(list(about).await, [ids[3]]);
    bench.provider.open();
    bench.settle(engine, acting).await;
    running.stop().await;
}
