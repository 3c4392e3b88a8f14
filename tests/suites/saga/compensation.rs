//! Undoing that goes wrong itself.

use cleave_saga::{Exhausted, NoSuchSaga, SagaFilter, SagaStatus, Takeup};
use cleave_store::UnitError;
use cleave_vocabulary::{IdSource, UuidV7Ids};

use super::bench::{Bench, Setup, in_backoff};
use super::errand::STEPS;
use super::provider::{Act, Lands};

#[tokio::test]
async fn each_compensation_may_fail_and_is_tried_again() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    for step in STEPS {
        bench.provider.reset();
        // The pivot may have happened, so it is undone too.
        bench.provider.always("d", Act::Unknown(Lands::Never));
        bench.provider.fail_undo(step, 2);
        let id = bench.begin(&running.engine, 0).await;
        let view = bench.settle(&running.engine, id).await;
        assert_eq!(view.status, SagaStatus::Compensated, "{step}");
        bench.assert_exact(&running.engine, id, step).await;
        let undone = STEPS.iter().position(|name| *name == step).expect("a step");
        let undone = view.steps[undone].compensation.as_ref().expect("begun");
        assert_eq!((undone.status, undone.attempts), ("done", 3), "{step}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_compensation_that_keeps_failing_leaves_the_saga_to_a_person() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    let engine = &running.engine;
    for (place, step) in STEPS[..3].iter().enumerate() {
        bench.provider.reset();
        bench.provider.script("d", [Act::Refuse]);
        bench.provider.fail_undo(step, u32::MAX);
        let id = bench.begin(engine, 0).await;
        let view = bench.settle(engine, id).await;
        assert_eq!(view.status, SagaStatus::Stuck, "{step}");
        assert_eq!(view.next_attempt_at, None);
        let undo = view.steps[place].compensation.as_ref().expect("begun");
        assert_eq!((undo.status, undo.attempts), ("failed", 3), "{step}");
        assert_eq!(undo.error.as_deref(), Some("nobody there"));
        let told = bench.told(id).await;
        let stuck = format!("stuck {step}");
        assert_eq!(
            told.iter().filter(|told| **told == stuck).count(),
            1,
            "{told:?}"
        );
        assert_eq!(engine.unowned().await.expect("reads"), []);

        // Tried by a person in vain, it is stuck again after as many attempts.
        engine.take_up(id, Takeup::Retry).await.expect("taken up");
        let view = bench.settle(engine, id).await;
        assert_eq!(view.status, SagaStatus::Stuck, "{step}");
        let undo = view.steps[place].compensation.as_ref().expect("begun");
        assert_eq!(undo.attempts, 6, "{step}");

        bench.provider.fail_undo(step, 0);
        let how = [Takeup::Retry, Takeup::Compensate][place % 2];
        let taken = engine.take_up(id, how).await.expect("taken up");
        assert_eq!(taken.status, SagaStatus::Compensating);
        let view = bench.settle(engine, id).await;
        assert_eq!(view.status, SagaStatus::Compensated, "{step}");
        bench.assert_exact(engine, id, step).await;
        let log = bench.log_lines(id).await;
        let count = |what: &str| log.iter().filter(|line| line.contains(what)).count();
        assert_eq!((count(" stuck "), count(" retried ")), (2, 2), "{log:#?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_person_may_retry_or_compensate_what_waits() {
    let bench = Bench::open(Setup {
        exhausted: Exhausted::Wait,
        ..Setup::default()
    })
    .await;
    let running = bench.start();
    let engine = &running.engine;
    for (act, how) in [
        (Act::Fail, Takeup::Retry),
        (Act::Fail, Takeup::Compensate),
        (Act::Unknown(Lands::Done), Takeup::Compensate),
        (Act::Unknown(Lands::AtTheEnd), Takeup::Compensate),
    ] {
        let case = format!("{act:?} {how:?}");
        bench.provider.reset();
        bench.provider.always("b", act);
        bench.provider.stay_silent_about("b", u32::MAX);
        let id = bench.begin(engine, 0).await;
        bench.until(engine, id, in_backoff).await;
        bench.provider.always("b", Act::Done);
        engine.take_up(id, how).await.expect("taken up");
        let view = bench.settle(engine, id).await;
        let end = match how {
            Takeup::Retry => SagaStatus::Completed,
            Takeup::Compensate => SagaStatus::Compensated,
        };
        assert_eq!(view.status, end, "{case}");
        bench.assert_exact(engine, id, &case).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn only_what_is_stuck_or_waits_can_be_taken_up() {
    let bench = Bench::open(Setup {
        with_tail: true,
        ..Setup::default()
    })
    .await;
    let running = bench.start();
    let engine = &running.engine;
    let ids: &dyn IdSource = &UuidV7Ids;
    let refused = |error: UnitError<NoSuchSaga>| match error {
        UnitError::Refused(refusal) => refusal,
        UnitError::Failed(error) => panic!("{error}"),
    };
    let nobody = engine.take_up(ids.next(), Takeup::Retry).await;
    assert_eq!(nobody.map_err(refused).err(), Some(NoSuchSaga::Unknown));

    // Behind the pivot a saga can be retried, but not compensated.
    bench.provider.always("e", Act::Fail);
    let id = bench.begin(engine, 0).await;
    bench
        .until(engine, id, |view| view.steps[4].action.attempts > 5)
        .await;
    bench
        .until(engine, id, |view| view.next_attempt_at.is_some())
        .await;
    let compensate = engine.take_up(id, Takeup::Compensate).await;
    assert_eq!(
        compensate.map_err(refused).err(),
        Some(NoSuchSaga::NotApplicable)
    );
    bench.provider.always("e", Act::Done);
    engine.take_up(id, Takeup::Retry).await.expect("taken up");
    assert_eq!(bench.settle(engine, id).await.status, SagaStatus::Completed);
    bench.assert_exact(engine, id, "tail").await;

    let over = engine.take_up(id, Takeup::Retry).await;
    assert_eq!(over.map_err(refused).err(), Some(NoSuchSaga::NotApplicable));
    running.stop().await;
}

#[tokio::test]
async fn a_step_behind_the_pivot_that_is_refused_needs_a_person() {
    let bench = Bench::open(Setup {
        with_tail: true,
        ..Setup::default()
    })
    .await;
    let running = bench.start();
    let engine = &running.engine;
    bench.provider.script("e", [Act::Refuse]);
    let id = bench.begin(engine, 0).await;
    let view = bench.settle(engine, id).await;
    assert_eq!(view.status, SagaStatus::Stuck);
    assert!(bench.told(id).await.ends_with(&["stuck e".to_owned()]));
    let filter = SagaFilter {
        status: Some(SagaStatus::Stuck),
        limit: 10,
        ..SagaFilter::default()
    };
    let stuck = engine.list(filter).await.expect("reads");
    assert_eq!(stuck.iter().map(|view| view.id).collect::<Vec<_>>(), [id]);
    running.stop().await;
}
