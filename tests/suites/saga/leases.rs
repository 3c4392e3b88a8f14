//! Several engines over one database: each saga is moved by one of them, and
//! whoever lost its claim moves nothing any more.

use std::time::Duration;

use cleave_saga::SagaStatus;
use cleave_vocabulary::{Clock, ManualClock};

use super::bench::{Bench, LAPSE, Setup};
use super::errand::STEPS;
use super::provider::{Act, Lands};

fn shared() -> Setup {
    Setup {
        sole_owner: false,
        ..Setup::default()
    }
}

#[tokio::test]
async fn an_engine_that_was_away_too_long_moves_nothing() {
    let bench = Bench::open(shared()).await;
    for act in [Act::Gate, Act::DoneThenGate] {
        for step in STEPS {
            let case = format!("{act:?} {step}");
            bench.provider.reset();
            bench.provider.script(step, [act]);
            // The first engine's time stands still.
            let still = ManualClock::at(bench.clock.now());
            let away = bench.start_by(still);
            let id = bench.begin(&away.engine, 0).await;
            bench.provider.until_hanging(1).await;

            bench.clock.advance(LAPSE);
            let other = bench.start();
            let view = bench.settle(&other.engine, id).await;
            assert_eq!(view.status, SagaStatus::Completed, "{case}");
            let log = bench.log_lines(id).await;

            bench.provider.open();
            bench.provider.until_hanging(0).await;
            // Ends once the late answer has been dropped.
            away.stop().await;
            assert_eq!(bench.log_lines(id).await, log, "{case}");
            bench.assert_exact(&other.engine, id, &case).await;
            other.stop().await;
        }
    }
}

#[tokio::test]
async fn a_late_answer_is_dropped_while_the_saga_goes_another_way() {
    let bench = Bench::open(shared()).await;
    // The first engine waits for an answer; the second is refused meanwhile, and undoes.
    bench.provider.script("b", [Act::Gate, Act::Refuse]);
    let away = bench.start_by(ManualClock::at(bench.clock.now()));
    let id = bench.begin(&away.engine, 0).await;
    bench.provider.until_hanging(1).await;
    bench.clock.advance(LAPSE);
    let other = bench.start();
    bench.provider.fail_undo("a", 1);
    bench
        .until(&other.engine, id, |view| {
            view.status == SagaStatus::Compensating
        })
        .await;
    bench.provider.open();
    away.stop().await;
    let view = bench.settle(&other.engine, id).await;
    assert_eq!(view.status, SagaStatus::Compensated);
    bench.assert_exact(&other.engine, id, "another way").await;
    other.stop().await;
}

#[tokio::test]
async fn a_late_answer_is_dropped_while_its_question_is_asked() {
    let bench = Bench::open(shared()).await;
    // Both engines are at the same attempt of the same step; one has lost its claim.
    bench.provider.script("b", [Act::DoneThenGate]);
    bench.provider.let_questions_wait();
    let away = bench.start_by(ManualClock::at(bench.clock.now()));
    let id = bench.begin(&away.engine, 0).await;
    bench.provider.until_hanging(1).await;
    bench.clock.advance(LAPSE);
    let other = bench.start();
    bench.provider.until_asked(1).await;
    let log = bench.log_lines(id).await;

    bench.provider.open();
    away.stop().await;
    assert_eq!(bench.log_lines(id).await, log);
    bench.provider.answer();
    let view = bench.settle(&other.engine, id).await;
    assert_eq!(view.status, SagaStatus::Completed);
    let log = bench.log_lines(id).await;
    assert!(log.contains(&"action b resolved 1".to_owned()), "{log:#?}");
    bench.assert_exact(&other.engine, id, "asked").await;
    other.stop().await;
}

#[tokio::test]
async fn a_dead_engines_sagas_are_taken_over_once_its_claims_lapse() {
    let bench = Bench::open(shared()).await;
    bench.provider.always("b", Act::Silent(Lands::Never));
    let dead = bench.start();
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(bench.begin(&dead.engine, 0).await);
    }
    bench.provider.until_hanging(10).await;
    dead.crash().await;
    bench.provider.always("b", Act::Done);

    let calls = bench.provider.calls().len();
    let heirs = [bench.start(), bench.start()];
    let probe = bench.begin(&heirs[0].engine, 0).await;
    bench.settle(&heirs[0].engine, probe).await;
    assert_eq!(
        bench.provider.calls().len(),
        calls + 4,
        "claims are respected"
    );
    assert_eq!(heirs[0].engine.unowned().await.expect("reads"), []);

    bench.clock.advance(LAPSE);
    for id in ids {
        let view = bench.settle(&heirs[0].engine, id).await;
        assert_eq!(view.status, SagaStatus::Completed);
        bench.assert_exact(&heirs[0].engine, id, "inherited").await;
    }
    let calls = bench.provider.calls();
    let resolved = calls.iter().filter(|call| *call == "resolve b").count();
    assert_eq!(resolved, 10, "each was asked about by one heir");
    for heir in heirs {
        heir.stop().await;
    }
}

#[tokio::test]
async fn a_dead_engines_sagas_are_taken_over_before_its_claims_lapse() {
    const LEASE: Duration = Duration::from_hours(24);
    let mut setup = shared();
    setup.options.presence = Duration::from_secs(5);
    setup.options.lease = LEASE;
    let bench = Bench::open(setup).await;
    bench.provider.always("b", Act::Silent(Lands::Never));
    let dead = bench.start();
    let heir = bench.start();
    let id = bench.begin(&dead.engine, 0).await;
    bench.provider.until_hanging(1).await;
    dead.crash().await;
    bench.provider.always("b", Act::Done);
    // Claims hold for longer; signs of life do not.
    let view = async {
        loop {
            bench.clock.advance(Duration::from_millis(500));
            tokio::task::yield_now().await;
            let view = heir.engine.find(id).await.expect("reads").expect("there");
            if view.status == SagaStatus::Completed {
                return view;
            }
        }
    };
    let began = bench.clock.now();
    assert_eq!(view.await.status, SagaStatus::Completed);
    let took = bench.clock.now().since(began);
    assert!(took < LEASE, "only with its claims, after {took:?}");
    bench.assert_exact(&heir.engine, id, "inherited").await;
    heir.stop().await;
}

#[tokio::test]
async fn a_claim_is_renewed_for_as_long_as_the_saga_is_driven() {
    let bench = Bench::open(shared()).await;
    for step in STEPS {
        bench.provider.script(step, [Act::Gate]);
    }
    let slow = bench.start();
    let id = bench.begin(&slow.engine, 0).await;
    let other = bench.start();
    for _ in STEPS {
        bench.provider.until_hanging(1).await;
        bench.clock.advance(Duration::from_secs(9));
        bench.provider.open();
        bench.provider.until_hanging(0).await;
    }
    let view = bench.settle(&slow.engine, id).await;
    assert_eq!(view.status, SagaStatus::Completed);
    assert_eq!(bench.provider.calls(), ["act a", "act b", "act c", "act d"]);
    slow.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_stop_brings_what_acts_to_its_end_and_hands_the_rest_over() {
    let bench = Bench::open(shared()).await;
    bench.provider.script("b", [Act::Gate]);
    let leaving = bench.start();
    let id = bench.begin(&leaving.engine, 0).await;
    bench.provider.until_hanging(1).await;
    leaving.ask_to_stop();
    let heir = bench.start();
    bench.provider.open();
    leaving.stop().await;
    // At once, and without a question: the log says how far it came.
    let view = bench.settle(&heir.engine, id).await;
    assert_eq!(view.status, SagaStatus::Completed);
    assert_eq!(bench.provider.calls(), ["act a", "act b", "act c", "act d"]);
    bench.assert_exact(&heir.engine, id, "handed over").await;
    heir.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let bench = Bench::open(shared()).await;
    bench.provider.script("b", [Act::Silent(Lands::AtTheEnd)]);
    let leaving = bench.start();
    let id = bench.begin(&leaving.engine, 0).await;
    bench.provider.until_hanging(1).await;
    leaving.ask_to_stop();
    let stopped = leaving.stop();
    let drained = async {
        // As often as it takes for the stop to look at the clock.
        while bench.provider.hanging() > 0 {
            bench.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(stopped, drained);
    let heir = bench.start();
    let view = bench.settle(&heir.engine, id).await;
    assert_eq!(view.status, SagaStatus::Completed);
    let calls = bench.provider.calls();
    assert_eq!(
        calls,
        ["act a", "act b", "resolve b", "act b", "act c", "act d"]
    );
    bench.assert_exact(&heir.engine, id, "left behind").await;
    heir.stop().await;
}
