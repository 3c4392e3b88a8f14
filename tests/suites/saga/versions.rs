//! Code that changes under sagas in flight.

use cleave_saga::{Definition, SagaStatus, Step, Takeup};
use cleave_store::{Tx, Unit};
use cleave_vocabulary::{Clock, IdSource, SagaId, UuidV7Ids};
use sea_orm::{ConnectionTrait, Statement};

use super::bench::{Bench, LAPSE, Setup, in_backoff, subject};
use super::errand::Errand;
use super::provider::Act;

/// A later version of the errand, with one step more.
fn longer(bench: &Bench) -> Errand<2> {
    Errand {
        with_tail: true,
        ..bench.errand::<2>()
    }
}

#[tokio::test]
async fn a_saga_in_flight_keeps_its_version() {
    let bench = Bench::open(Setup::default()).await;
    bench.provider.script("b", [Act::Fail]);
    let old = bench.start();
    let id = bench.begin(&old.engine, 0).await;
    bench.until(&old.engine, id, in_backoff).await;
    old.stop().await;

    let engine = bench.bare_engine();
    engine.register(bench.errand::<1>()).expect("registers");
    engine.register(longer(&bench)).expect("registers");
    let new = Bench::run(engine);
    let view = bench.settle(&new.engine, id).await;
    assert_eq!((view.status, view.version), (SagaStatus::Completed, 1));
    assert_eq!(view.steps.len(), 4);
    bench.assert_exact(&new.engine, id, "old version").await;
    new.stop().await;
}

#[tokio::test]
async fn a_saga_that_nobody_knows_is_reported_and_not_lost() {
    let bench = Bench::open(Setup::default()).await;
    bench.provider.script("b", [Act::Gate]);
    let old = bench.start();
    let id = bench.begin(&old.engine, 0).await;
    bench.provider.until_hanging(1).await;
    old.crash().await;

    let engine = bench.bare_engine();
    engine.register(longer(&bench)).expect("registers");
    let new = Bench::run(engine);
    let view = bench
        .until(&new.engine, id, |view| view.status == SagaStatus::Waiting)
        .await;
    let error = view.steps[1].action.error.as_deref();
    assert_eq!(
        error,
        Some("no program that is running knows this saga's kind and version")
    );
    assert_eq!(view.steps[1].name, "b");
    assert!(view.next_attempt_at.is_some());
    assert_eq!(new.engine.unowned().await.expect("reads"), []);
    // A person's wish waits with it.
    new.engine
        .take_up(id, Takeup::Retry)
        .await
        .expect("taken up");
    new.stop().await;

    bench.clock.advance(LAPSE);
    let back = bench.start();
    let view = bench.settle(&back.engine, id).await;
    assert_eq!(view.status, SagaStatus::Completed);
    bench.assert_exact(&back.engine, id, "back").await;
    back.stop().await;
}

#[tokio::test]
async fn a_saga_whose_data_can_t_be_read_waits_for_a_program_that_can() {
    let bench = Bench::open(Setup::default()).await;
    bench.provider.script("b", [Act::Fail]);
    let old = bench.start();
    let id = bench.begin(&old.engine, 0).await;
    let due = bench.until(&old.engine, id, in_backoff).await;
    old.stop().await;

    let engine = bench.bare_engine();
    engine.register(Stranger).expect("registers");
    let strange = Bench::run(engine);
    let due = due.next_attempt_at.expect("waits");
    bench.clock.advance(due.since(bench.clock.now()));
    let view = bench
        .until(&strange.engine, id, |view| {
            let error = view.steps[1].action.error.as_deref();
            error.is_some_and(|error| error.starts_with("its data can't be read"))
        })
        .await;
    assert_eq!(view.status, SagaStatus::Waiting);
    strange.stop().await;

    let back = bench.start();
    let view = bench.settle(&back.engine, id).await;
    assert_eq!(view.status, SagaStatus::Completed);
    back.stop().await;
}

/// Claims to be the errand, but keeps other data.
struct Stranger;

impl Definition for Stranger {
    type Data = u32;

    const KIND: &'static str = "errand";
    const VERSION: u32 = 1;

    fn steps(&self) -> Vec<Box<dyn Step<u32>>> {
        vec![Box::new(Nothing)]
    }
}

struct Nothing;

#[async_trait::async_trait]
impl Step<u32> for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }
    fn undo_name(&self) -> &'static str {
        "undo_nothing"
    }
    fn kind(&self) -> cleave_saga::StepKind {
        cleave_saga::StepKind::Compensatable
    }
    fn policy(&self) -> cleave_saga::StepPolicy {
        cleave_saga::StepPolicy::default()
    }
    async fn act(&self, _: &cleave_saga::StepCall, _: &u32) -> cleave_saga::Action {
        cleave_saga::Action::Done(serde_json::Value::Null)
    }
    async fn resolve(&self, _: &cleave_saga::StepCall, _: &u32) -> cleave_saga::Resolution {
        cleave_saga::Resolution::Never
    }
    async fn undo(&self, _: &cleave_saga::StepCall, _: &u32) -> cleave_saga::Undo {
        cleave_saga::Undo::Done
    }
    async fn on_done(
        &self,
        _: &cleave_store::Tx,
        _: &cleave_saga::StepCall,
        _: &mut u32,
        _: &serde_json::Value,
    ) -> Result<(), sea_orm::DbErr> {
        Ok(())
    }
    async fn on_refused(
        &self,
        _: &cleave_store::Tx,
        _: &cleave_saga::StepCall,
        _: &mut u32,
        _: &cleave_vocabulary::Refusal,
    ) -> Result<(), sea_orm::DbErr> {
        Ok(())
    }
    async fn on_undone(
        &self,
        _: &cleave_store::Tx,
        _: &cleave_saga::StepCall,
        _: &mut u32,
    ) -> Result<(), sea_orm::DbErr> {
        Ok(())
    }
}

#[tokio::test]
async fn a_kind_and_version_is_registered_once() {
    let bench = Bench::open(Setup::default()).await;
    let engine = bench.bare_engine();
    engine.register(bench.errand::<1>()).expect("registers");
    let again = engine
        .register(bench.errand::<1>())
        .expect_err("is refused");
    assert_eq!(
        again.to_string(),
        "saga errand version 1: it is registered already"
    );
    engine.register(longer(&bench)).expect("registers");
}

/// Sagas as this version once wrote them, at each kind of place: what is stored
/// must be understood for as long as the version is registered.
const STORED: [(&str, &str); 4] = [
    (
        "'pending', 'acting', 1, 'started', 1, 1, 0, NULL, NULL, '{\"told\":[\"done a\"]}'",
        "act a, resolve b, act b, act c, act d",
    ),
    (
        "'waiting', 'acting', 1, 'failed', 2, 2, 0, 'x', NULL, '{\"told\":[\"done a\"]}'",
        "act a, act b, act c, act d",
    ),
    (
        "'waiting', 'acting', 1, 'unknown', 1, 1, 3, 'x', 'no', '{\"told\":[\"done a\"]}'",
        "act a, resolve b, undo b, undo a",
    ),
    (
        "'compensating', 'undoing', 0, 'ready', 0, 0, 0, NULL, 'no', '{\"told\":[\"done a\"]}'",
        "act a, undo a",
    ),
];

#[tokio::test]
async fn stored_sagas_go_on_as_their_rows_say() {
    let bench = Bench::open(Setup::default()).await;
    for (row, calls) in STORED {
        bench.provider.reset();
        let ids: &dyn IdSource = &UuidV7Ids;
        let id: SagaId = ids.next();
        bench.provider.act("a", &format!("{id}:a")).await;
        let now = bench.clock.now().as_micros();
        let unit = async move |tx: &Tx| -> Unit<()> {
            let sql = format!(
                "INSERT INTO saga (status, phase, step, state, attempt, tries, asked, error, \
                 cancel_reason, data, kind, version, correlation, fence, due_at, created_at, \
                 updated_at, id, subject) VALUES ({row}, 'errand', 1, 'c-1', 7, {now}, {now}, \
                 {now}, $1, $2)"
            );
            let values = [id.uuid().into(), subject(id).into()];
            let backend = tx.get_database_backend();
            tx.execute_raw(Statement::from_sql_and_values(backend, sql, values))
                .await?;
            Ok(())
        };
        bench.store.write(unit).await.expect("stores");
        let running = bench.start();
        bench.settle(&running.engine, id).await;
        assert_eq!(bench.provider.calls().join(", "), calls, "{row}");
        for (step, (made, taken_back)) in bench.provider.effects(&id.to_string()) {
            let kept = u32::from(calls.ends_with("act d"));
            assert_eq!(made - taken_back, kept, "{row}: {step}");
        }
        running.stop().await;
    }
}
