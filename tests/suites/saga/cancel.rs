//! Cancelled at every moment: before a step, while it acts, between its effect
//! and its answer, in its backoff, while its outcome is unknown, and too late.

use cleave_saga::{Exhausted, SagaStatus, SagaView};
use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{Clock, SagaId};

use super::bench::{Bench, Running, Setup, in_backoff, subject};
use super::errand::STEPS;
use super::provider::{Act, Lands};

async fn waiting() -> (Bench, Running) {
    let bench = Bench::open(Setup {
        exhausted: Exhausted::Wait,
        ..Setup::default()
    })
    .await;
    let running = bench.start();
    (bench, running)
}

/// Settles without any help from the clock.
async fn settle_now(bench: &Bench, running: &Running, id: SagaId) -> SagaView {
    let before = bench.clock.now();
    let deadline = before.plus(super::bench::LAPSE);
    let settled = running.engine.wait_settled(&subject(id), deadline).await;
    assert!(settled.expect("reads").is_some());
    assert_eq!(bench.clock.now(), before);
    bench.view(&running.engine, id).await
}

#[tokio::test]
async fn a_step_that_acts_meanwhile_is_brought_to_its_end_and_undone() {
    let (bench, running) = waiting().await;
    for act in [Act::Gate, Act::DoneThenGate] {
        for (place, step) in STEPS.into_iter().enumerate() {
            let case = format!("{act:?} {step}");
            bench.provider.reset();
            bench.provider.script(step, [act]);
            let id = bench.begin(&running.engine, 0).await;
            bench.provider.until_hanging(1).await;
            assert!(bench.cancel(&running.engine, id).await, "{case}");
            assert!(!bench.cancel(&running.engine, id).await, "{case}");
            bench.provider.open();
            let view = settle_now(&bench, &running, id).await;
            assert_eq!(view.status, SagaStatus::Compensated, "{case}");
            bench.assert_exact(&running.engine, id, &case).await;
            let told = bench.told(id).await;
            assert_eq!(told[place], format!("done-too-late {step}"), "{case}");
            assert_eq!(told.len(), 2 * (place + 1), "{case}: {told:?}");
            let log = bench.log(id).await;
            let cancelled: Vec<_> = log
                .iter()
                .filter(|line| line.outcome == "cancelled")
                .collect();
            assert_eq!(cancelled.len(), 1, "{case}");
            assert_eq!(cancelled[0].detail, Some("changed_mind".into()));
            assert_eq!(cancelled[0].name, step);
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn cancelling_wakes_a_saga_out_of_its_backoff() {
    let (bench, running) = waiting().await;
    for (place, step) in STEPS.into_iter().enumerate() {
        bench.provider.reset();
        bench.provider.always(step, Act::Fail);
        let id = bench.begin(&running.engine, 0).await;
        bench.until(&running.engine, id, in_backoff).await;
        assert!(bench.cancel(&running.engine, id).await, "{step}");
        let view = settle_now(&bench, &running, id).await;
        assert_eq!(view.status, SagaStatus::Compensated, "{step}");
        bench.assert_exact(&running.engine, id, step).await;
        // What failed may have happened in part, so it is undone as well.
        assert_eq!(bench.told(id).await.len(), 2 * place + 1, "{step}");
    }
    running.stop().await;
}

#[tokio::test]
async fn what_is_refused_or_fails_meanwhile_is_not_tried_again() {
    let (bench, running) = waiting().await;
    for act in [Act::Refuse, Act::Fail] {
        bench.provider.reset();
        bench.provider.script("a", [Act::DoneThenGate]);
        let id = bench.begin(&running.engine, 0).await;
        bench.provider.until_hanging(1).await;
        bench.provider.script("b", [act, Act::Done]);
        bench.provider.open();
        // Either the step is reached before it is cancelled, or it is not.
        assert!(bench.cancel(&running.engine, id).await);
        let view = bench.settle(&running.engine, id).await;
        assert_eq!(view.status, SagaStatus::Compensated, "{act:?}");
        bench
            .assert_exact(&running.engine, id, &format!("{act:?}"))
            .await;
    }
    running.stop().await;
}

#[tokio::test]
async fn an_unknown_outcome_is_known_before_it_is_undone() {
    let (bench, running) = waiting().await;
    for (lands, told_of) in [
        (Lands::Done, "done-too-late b"),
        (Lands::Never, "undone b"),
        (Lands::AtTheEnd, "undone b"),
        (Lands::OnceAskedFor, "undone b"),
        (Lands::Refused, "refused(not_allowed) b"),
    ] {
        let case = format!("{lands:?}");
        bench.provider.reset();
        bench.provider.script("b", [Act::Unknown(lands)]);
        bench.provider.stay_silent_about("b", 4);
        let id = bench.begin(&running.engine, 0).await;
        bench.until(&running.engine, id, in_backoff).await;
        assert!(bench.cancel(&running.engine, id).await, "{case}");
        let view = bench.settle(&running.engine, id).await;
        assert_eq!(view.status, SagaStatus::Compensated, "{case}");
        bench.assert_exact(&running.engine, id, &case).await;
        assert_eq!(bench.told(id).await[1], told_of, "{case}");
        let calls = bench.provider.calls();
        assert_eq!(
            calls.iter().filter(|call| *call == "act b").count(),
            1,
            "{case}"
        );
    }
    running.stop().await;
}

#[tokio::test]
async fn it_is_too_late_behind_the_pivot_and_after_the_end() {
    let bench = Bench::open(Setup {
        with_tail: true,
        ..Setup::default()
    })
    .await;
    let running = bench.start();
    bench.provider.script("e", [Act::Fail, Act::Gate]);
    let id = bench.begin(&running.engine, 0).await;
    bench.until(&running.engine, id, in_backoff).await;
    assert!(
        !bench.cancel(&running.engine, id).await,
        "in backoff behind the pivot"
    );
    bench
        .until(&running.engine, id, |_| bench.provider.hanging() == 1)
        .await;
    assert!(
        !bench.cancel(&running.engine, id).await,
        "acting behind the pivot"
    );
    bench.provider.open();
    assert_eq!(
        bench.settle(&running.engine, id).await.status,
        SagaStatus::Completed
    );
    assert!(!bench.cancel(&running.engine, id).await, "completed");
    bench.assert_exact(&running.engine, id, "too late").await;
    running.stop().await;
}

#[tokio::test]
async fn what_is_compensated_already_is_not_cancelled() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    bench.provider.script("b", [Act::Refuse]);
    bench.provider.fail_undo("a", u32::MAX);
    let id = bench.begin(&running.engine, 0).await;
    bench
        .until(&running.engine, id, |view| {
            view.status == SagaStatus::Compensating
        })
        .await;
    assert!(!bench.cancel(&running.engine, id).await, "compensating");
    bench.settle(&running.engine, id).await;
    assert!(!bench.cancel(&running.engine, id).await, "stuck");
    running.stop().await;
}

#[tokio::test]
async fn a_cancellation_is_undone_with_the_unit_that_made_it() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    bench.provider.script("b", [Act::Gate]);
    let id = bench.begin(&running.engine, 0).await;
    bench.provider.until_hanging(1).await;
    let engine = running.engine.clone();
    let unit = async move |tx: &Tx| -> Unit<(), &'static str> {
        assert!(engine.cancel(tx, &subject(id), "changed_mind").await?);
        Err(UnitError::Refused("not allowed to"))
    };
    let refused = bench.store.write(unit).await;
    assert!(matches!(refused, Err(UnitError::Refused("not allowed to"))));
    bench.provider.open();
    assert_eq!(
        bench.settle(&running.engine, id).await.status,
        SagaStatus::Completed
    );
    running.stop().await;
}

#[tokio::test]
async fn a_cancellation_outlives_a_crash() {
    let bench = Bench::open(Setup::default()).await;
    for act in [Act::Gate, Act::DoneThenGate] {
        bench.provider.reset();
        bench.provider.script("b", [act]);
        let first = bench.start();
        let id = bench.begin(&first.engine, 0).await;
        bench.provider.until_hanging(1).await;
        assert!(bench.cancel(&first.engine, id).await);
        first.crash().await;
        let second = bench.start();
        let view = settle_now(&bench, &second, id).await;
        assert_eq!(view.status, SagaStatus::Compensated);
        bench
            .assert_exact(&second.engine, id, &format!("{act:?}"))
            .await;
        second.stop().await;
    }
}
