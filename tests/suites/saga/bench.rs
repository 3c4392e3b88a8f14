//! Where errands are run: a real database, a clock that moves when something
//! waits for it, and an engine that can be stopped, crashed and started again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cleave_saga::{
    Begin, Engine, EngineOptions, EngineParts, Exhausted, LogEntry, SagaStatus, SagaView,
};
use cleave_store::{SqliteOptions, Store, Tx, Unit};
use cleave_vocabulary::{CallContext, Clock, IdSource, ManualClock, SagaId, UuidV7Ids};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::errand::{Errand, Notes, STEPS, TIME_LIMIT};
use super::provider::Provider;

/// An engine and its run.
pub(super) struct Running {
    pub(super) engine: Engine,
    stop: CancellationToken,
    run: JoinHandle<()>,
}

impl Running {
    /// Ends it as a dead process does: nothing is let go of.
    pub(super) async fn crash(self) {
        self.run.abort();
        let ended = self.run.await;
        assert!(
            ended.is_err_and(|ended| ended.is_cancelled()),
            "it was running"
        );
    }

    /// Asks it to stop, without waiting for it.
    pub(super) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// Ends it in good order.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.run.await.expect("the run ends");
    }
}

/// How an engine is set up.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) options: EngineOptions,
    pub(super) sole_owner: bool,
    pub(super) exhausted: Exhausted,
    pub(super) with_tail: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            options: EngineOptions {
                compensation_attempts: 3,
                // As long as a claim: what is about claims alone is not to meet it.
                presence: EngineOptions::default().lease,
                ..EngineOptions::default()
            },
            sole_owner: true,
            exhausted: Exhausted::Compensate,
            with_tail: false,
        }
    }
}

pub(super) struct Bench {
    pub(super) store: Store,
    pub(super) clock: ManualClock,
    pub(super) provider: Provider,
    pub(super) setup: Setup,
    _folder: TempDir,
}

impl Bench {
    pub(super) async fn open(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = SqliteOptions {
            durable: false,
            ..SqliteOptions::default()
        };
        let path = folder.path().join("saga.db");
        let store = Store::open_sqlite("saga", path, &options).expect("opens");
        Self::over(store, setup, folder).await
    }

    /// Over an empty schema that several processes share.
    pub(super) async fn over_postgres(store: Store, setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::over(store, setup, folder).await
    }

    async fn over(store: Store, setup: Setup, folder: TempDir) -> Self {
        log_what_goes_wrong();
        let migrated = store.migrate::<cleave_migrations::order::Migrator>().await;
        migrated.expect("migrates");
        let told = async |tx: &Tx| -> Unit<()> {
            let seq = match tx.get_database_backend() {
                DbBackend::Sqlite => "integer",
                _ => "bigserial",
            };
            let told = format!(
                "CREATE TABLE told (seq {seq} PRIMARY KEY, saga text NOT NULL, what text NOT NULL)"
            );
            tx.execute_unprepared(&told).await?;
            Ok(())
        };
        store.write(told).await.expect("makes the table of hooks");
        Self {
            store,
            clock: ManualClock::default(),
            provider: Provider::default(),
            setup,
            _folder: folder,
        }
    }

    /// An engine without definitions, by this bench's clock.
    pub(super) fn bare_engine(&self) -> Engine {
        self.engine_by(self.clock.clone())
    }

    pub(super) fn engine_by(&self, clock: ManualClock) -> Engine {
        self.engine_over(self.store.clone(), clock)
    }

    fn engine_over(&self, store: Store, clock: ManualClock) -> Engine {
        Engine::new(EngineParts {
            store,
            clock: Arc::new(clock),
            ids: Arc::new(UuidV7Ids),
            options: self.setup.options.clone(),
            sole_owner: self.setup.sole_owner,
        })
    }

    pub(super) fn errand<const VERSION: u32>(&self) -> Errand<VERSION> {
        Errand {
            provider: self.provider.clone(),
            exhausted: self.setup.exhausted,
            with_tail: self.setup.with_tail,
        }
    }

    /// An engine that knows the errand, running.
    pub(super) fn start(&self) -> Running {
        self.start_by(self.clock.clone())
    }

    pub(super) fn start_by(&self, clock: ManualClock) -> Running {
        self.start_over(self.store.clone(), clock)
    }

    /// An engine of another process, by way of that one's store.
    pub(super) fn start_over(&self, store: Store, clock: ManualClock) -> Running {
        let engine = self.engine_over(store, clock);
        engine.register(self.errand::<1>()).expect("registers");
        Self::run(engine)
    }

    pub(super) fn run(engine: Engine) -> Running {
        let stop = CancellationToken::new();
        let run = {
            let (engine, stop) = (engine.clone(), stop.clone());
            tokio::spawn(async move { engine.run(stop).await })
        };
        Running { engine, stop, run }
    }

    /// Begins an errand, of which the unit that begins it does so many steps.
    pub(super) async fn begin(&self, engine: &Engine, done_steps: usize) -> SagaId {
        let ids: &dyn IdSource = &UuidV7Ids;
        let id: SagaId = ids.next();
        let begun = self.try_begin(engine, id, done_steps).await;
        begun.expect("begins");
        id
    }

    pub(super) async fn try_begin(
        &self,
        engine: &Engine,
        id: SagaId,
        done_steps: usize,
    ) -> Unit<()> {
        let engine = engine.clone();
        let unit = async move |tx: &Tx| -> Unit<()> {
            let begin = Begin {
                id,
                subject: subject(id),
                data: Notes::default(),
                call: CallContext::of("c-1".parse().expect("an id")),
                done_steps,
            };
            Ok(engine.begin::<Errand<1>>(tx, begin).await?)
        };
        self.store.write(unit).await
    }

    pub(super) async fn cancel(&self, engine: &Engine, id: SagaId) -> bool {
        let engine = engine.clone();
        let unit = async move |tx: &Tx| -> Unit<bool> {
            Ok(engine.cancel(tx, &subject(id), "changed_mind").await?)
        };
        self.store.write(unit).await.expect("cancels")
    }

    /// Lets time pass, as far as someone waits for it, until the saga has settled.
    pub(super) async fn settle(&self, engine: &Engine, id: SagaId) -> SagaView {
        self.until(engine, id, |view| view.status.is_settled())
            .await
    }

    /// Lets time pass, as far as someone waits for it, until the saga looks so.
    pub(super) async fn until(
        &self,
        engine: &Engine,
        id: SagaId,
        looks: impl Fn(&SagaView) -> bool,
    ) -> SagaView {
        let begun = Instant::now();
        loop {
            let view = self.view(engine, id).await;
            if looks(&view) {
                return view;
            }
            assert!(begun.elapsed() < PATIENCE, "it never did: {view:?}");
            self.pass_time(&view);
            tokio::task::yield_now().await;
        }
    }

    fn pass_time(&self, view: &SagaView) {
        let now = self.clock.now();
        match view.next_attempt_at {
            Some(at) if at > now => self.clock.advance(at.since(now)),
            Some(_) => {}
            None if self.provider.hanging() > 0 => self.clock.advance(TIME_LIMIT),
            None => {}
        }
    }

    /// Lets time pass until the saga has settled, or the provider kills the engine.
    /// True where it settled.
    pub(super) async fn settle_or_die(&self, engine: &Engine, id: SagaId) -> bool {
        let settled = self.until(engine, id, |view| {
            view.status.is_settled() || self.provider.is_killed()
        });
        settled.await;
        !self.provider.is_killed()
    }

    pub(super) async fn view(&self, engine: &Engine, id: SagaId) -> SagaView {
        engine.find(id).await.expect("reads").expect("is there")
    }

    pub(super) async fn log(&self, id: SagaId) -> Vec<LogEntry> {
        let query = async move |tx: &Tx| -> Unit<Vec<LogEntry>> {
            Ok(Engine::log_of(tx, &subject(id), 0).await?)
        };
        self.store.read(query).await.expect("reads")
    }

    /// The log in short: `action a started 1`.
    pub(super) async fn log_lines(&self, id: SagaId) -> Vec<String> {
        let line = |line: LogEntry| {
            format!(
                "{} {} {} {}",
                line.phase, line.name, line.outcome, line.attempt
            )
        };
        self.log(id).await.into_iter().map(line).collect()
    }

    /// What the hooks were told, as committed, but for failures.
    pub(super) async fn told(&self, id: SagaId) -> Vec<String> {
        let query = async move |tx: &Tx| -> Unit<(Vec<String>, String)> {
            let backend = tx.get_database_backend();
            let told = Statement::from_sql_and_values(
                backend,
                "SELECT what FROM told WHERE saga = $1 ORDER BY seq",
                [id.to_string().into()],
            );
            let told = tx.query_all_raw(told).await?;
            let told: Result<_, _> = told.iter().map(|row| row.try_get("", "what")).collect();
            let data = Statement::from_sql_and_values(
                backend,
                "SELECT data FROM saga WHERE id = $1",
                [id.uuid().into()],
            );
            let data = tx.query_one_raw(data).await?.expect("is there");
            Ok((told?, data.try_get("", "data")?))
        };
        let (told, data) = self.store.read(query).await.expect("reads");
        let notes: Notes = serde_json::from_str(&data).expect("notes");
        assert_eq!(notes.told, told, "the data is as old as the hooks' effects");
        told
    }

    /// Everything that must hold at the end of an errand, whatever happened.
    pub(super) async fn assert_exact(&self, engine: &Engine, id: SagaId, case: &str) {
        self.provider.land_the_rest();
        let view = self.view(engine, id).await;
        let effects = self.provider.effects(&id.to_string());
        for (step, (made, taken_back)) in &effects {
            assert!(*made <= 1, "{case}: {step} happened {made} times");
            let net = made - taken_back;
            match view.status {
                SagaStatus::Completed => assert_eq!(net, 1, "{case}: {step}"),
                SagaStatus::Compensated => assert_eq!(net, 0, "{case}: {step}"),
                other => panic!("{case}: {other:?} is no end"),
            }
        }
        if view.status == SagaStatus::Completed {
            assert!(effects.len() >= STEPS.len(), "{case}: {effects:?}");
        }
        self.assert_logged_in_order(id, case).await;
        self.assert_told_in_order(&view, id, case).await;
        assert_eq!(view.next_attempt_at, None, "{case}");
        let unowned = engine.unowned().await.expect("reads");
        assert!(!unowned.contains(&id), "{case}");
    }

    /// Each end in the log has its start, and nothing ends twice.
    async fn assert_logged_in_order(&self, id: SagaId, case: &str) {
        let log = self.log_lines(id).await;
        let mut ended = Vec::new();
        let mut begun = Vec::new();
        for line in self.log(id).await {
            let name = (line.phase.clone(), line.name.clone());
            match line.outcome.as_str() {
                "started" => begun.push(name),
                "done" | "refused" => {
                    assert!(!ended.contains(&name), "{case}: {log:#?}");
                    assert!(begun.contains(&name), "{case}: {log:#?}");
                    ended.push(name);
                }
                _ => {}
            }
        }
    }

    /// Done forwards, then undone backwards, each once.
    async fn assert_told_in_order(&self, view: &SagaView, id: SagaId, case: &str) {
        let told = self.told(id).await;
        let of = |what: &str| -> Vec<String> {
            let steps = told.iter().filter_map(|told| told.strip_prefix(what));
            steps.map(|step| step.trim().to_owned()).collect()
        };
        let mut done = of("done ");
        done.extend(of("done-too-late"));
        let mut sorted = done.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(done, sorted, "{case}: {told:?}");
        let undone = of("undone");
        if view.status == SagaStatus::Completed {
            assert!(undone.is_empty(), "{case}: {told:?}");
            return;
        }
        let mut backwards = undone.clone();
        backwards.sort_unstable_by(|one, other| other.cmp(one));
        backwards.dedup();
        assert_eq!(undone, backwards, "{case}: {told:?}");
        assert!(
            done.iter().all(|step| undone.contains(step)),
            "{case}: {told:?}"
        );
    }
}

/// Has what engines complain of shown with a test that fails.
fn log_what_goes_wrong() {
    let shown = tracing_subscriber::fmt().with_env_filter("warn,cleave_saga=debug");
    // Another test was the first.
    let _ = shown.with_test_writer().try_init();
}

/// What the errand is about.
pub(super) fn subject(id: SagaId) -> String {
    format!("about-{id}")
}

/// Whether it waits for the time of its next attempt.
pub(super) fn in_backoff(view: &SagaView) -> bool {
    view.status == SagaStatus::Waiting && view.next_attempt_at.is_some()
}

/// How long a saga may take, by the real clock, to look as it should.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Long enough for every lease to have lapsed.
pub(super) const LAPSE: Duration = Duration::from_secs(31);
