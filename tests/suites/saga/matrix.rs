//! Each step, with each fault.

use std::time::Duration;

use cleave_saga::{Exhausted, SagaStatus};

use super::bench::{Bench, Setup, in_backoff};
use super::errand::{ATTEMPTS, STEPS};
use super::provider::{Act, Lands, Provider};

/// A fault, and how a saga ends that meets it at some step.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) arrange: fn(&Provider, &'static str),
    pub(super) ends: SagaStatus,
}

const fn fault(
    name: &'static str,
    ends: SagaStatus,
    arrange: fn(&Provider, &'static str),
) -> Fault {
    Fault {
        name,
        arrange,
        ends,
    }
}

/// Everything that an action can come to.
pub(super) const FAULTS: [Fault; 15] = {
    use SagaStatus::{Compensated, Completed};
    [
        fault("works", Completed, |_, _| {}),
        fault("refused", Compensated, |p, step| {
            p.script(step, [Act::Refuse])
        }),
        fault("fails, then works", Completed, |p, step| {
            p.script(step, [Act::Fail; ATTEMPTS as usize - 1]);
        }),
        fault("keeps failing", Compensated, |p, step| {
            p.always(step, Act::Fail)
        }),
        fault("fails, then is refused", Compensated, |p, step| {
            p.script(step, [Act::Fail, Act::Refuse]);
        }),
        fault("panics once", Completed, |p, step| {
            p.script(step, [Act::Panic])
        }),
        fault("silent, but done", Completed, |p, step| {
            p.script(step, [Act::Silent(Lands::Done)]);
        }),
        fault("silent, and never arrived", Completed, |p, step| {
            p.script(step, [Act::Silent(Lands::Never)]);
        }),
        fault(
            "silent, and arrives once asked for",
            Completed,
            |p, step| {
                p.script(step, [Act::Silent(Lands::OnceAskedFor)]);
            },
        ),
        fault("silent, and arrives long after", Completed, |p, step| {
            p.script(step, [Act::Silent(Lands::AtTheEnd)]);
        }),
        fault(
            "arrives long after, and is refused meanwhile",
            Compensated,
            |p, step| {
                p.script(step, [Act::Silent(Lands::AtTheEnd), Act::Refuse]);
            },
        ),
        fault(
            "arrives long after it failed for good",
            Compensated,
            |p, step| {
                p.script(step, [Act::Unknown(Lands::AtTheEnd)]);
                p.always(step, Act::Fail);
            },
        ),
        fault("unknown, but done", Completed, |p, step| {
            p.script(step, [Act::Unknown(Lands::Done)]);
            p.stay_silent_about(step, 7);
        }),
        fault("unknown, and never arrived", Completed, |p, step| {
            p.script(step, [Act::Unknown(Lands::Never)]);
            p.stay_silent_about(step, 2);
        }),
        fault("unknown, and refused", Compensated, |p, step| {
            p.script(step, [Act::Unknown(Lands::Refused)]);
        }),
    ]
};

#[tokio::test]
async fn each_step_meets_each_fault_and_the_end_is_exact() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    for fault in &FAULTS {
        for step in STEPS {
            let case = format!("{step} {}", fault.name);
            bench.provider.reset();
            (fault.arrange)(&bench.provider, step);
            let id = bench.begin(&running.engine, 0).await;
            let view = bench.settle(&running.engine, id).await;
            assert_eq!(view.status, fault.ends, "{case}");
            bench.assert_exact(&running.engine, id, &case).await;
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn a_refused_step_is_not_undone_but_one_that_may_have_happened_is() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    bench.provider.script("b", [Act::Refuse]);
    let id = bench.begin(&running.engine, 0).await;
    bench.settle(&running.engine, id).await;
    assert_eq!(
        bench.told(id).await,
        ["done a", "refused(not_allowed) b", "undone a"]
    );

    bench.provider.reset();
    bench.provider.always("b", Act::Fail);
    let id = bench.begin(&running.engine, 0).await;
    bench.settle(&running.engine, id).await;
    assert_eq!(
        bench.told(id).await,
        ["done a", "refused(exhausted) b", "undone b", "undone a"]
    );
    running.stop().await;
}

#[tokio::test]
async fn a_step_that_waits_is_tried_until_it_works() {
    let bench = Bench::open(Setup {
        exhausted: Exhausted::Wait,
        ..Setup::default()
    })
    .await;
    let running = bench.start();
    for step in STEPS {
        bench.provider.reset();
        bench.provider.script(step, [Act::Fail; 20]);
        let id = bench.begin(&running.engine, 0).await;
        let view = bench.settle(&running.engine, id).await;
        assert_eq!(view.status, SagaStatus::Completed, "{step}");
        bench.assert_exact(&running.engine, id, step).await;
        let place = STEPS.iter().position(|name| *name == step).expect("a step");
        assert_eq!(view.steps[place].action.attempts, 21, "{step}");
        // The log does not grow for as long as somebody is away.
        assert!(
            bench.log(id).await.len() <= 8 + 2 * ATTEMPTS as usize,
            "{step}"
        );
    }
    running.stop().await;
}

#[tokio::test]
async fn what_could_not_be_written_is_asked_for_again() {
    let bench = Bench::open(Setup::default()).await;
    let running = bench.start();
    for step in STEPS {
        bench.provider.reset();
        // For as long as it takes to see the saga set aside: time passes meanwhile.
        bench.provider.fail_hooks(step, u32::MAX);
        let id = bench.begin(&running.engine, 0).await;
        let place = STEPS.iter().position(|name| *name == step).expect("a step");
        let aside = bench.until(&running.engine, id, |view| {
            bench.clock.advance(Duration::from_millis(200));
            in_backoff(view)
        });
        let error = aside.await.steps[place].action.error.clone();
        assert_eq!(
            error.as_deref(),
            Some("what it came to could not be written")
        );
        bench.provider.fail_hooks(step, 0);
        let ended = bench.until(&running.engine, id, |view| {
            bench.clock.advance(Duration::from_millis(200));
            view.status.is_settled()
        });
        assert_eq!(ended.await.status, SagaStatus::Completed, "{step}");
        bench.assert_exact(&running.engine, id, step).await;
    }
    running.stop().await;
}
