//! What operators see and do, over two small contexts.

use std::sync::Arc;

use async_trait::async_trait;
use cleave::host::Condition;
use cleave::ops::{self, FulfilmentStyle, Operations, Placement, SagaSource, Transport};
use cleave_hosting::{AuditCheck, Audited, Auditor, SagaAdmin, SagaAdminError, Seen, Violation};
use cleave_messaging::DeadLetters;
use cleave_migrations::order::Migrator;
use cleave_resilience::{Guard, Policy};
use cleave_saga::{PhaseView, SagaFilter, SagaStatus, SagaView, StepView, Takeup};
use cleave_store::{SqliteOptions, Store, Tx, Unit};
use cleave_tests::api::{Api, Ask, Told};
use cleave_vocabulary::{
    EventId, IdSource, ManualClock, OrderId, SagaId, SequentialIds, Timestamp, UserId,
};
use cleave_web::{Idempotency, IdempotencyOptions, Role};
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Two contexts, their dead letters and sagas.
struct Bench {
    api: Api,
    ids: SequentialIds,
    stores: [Store; 2],
    sagas: [Arc<Sagas>; 2],
    _folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let stores = [
            store(&folder, "order").await,
            store(&folder, "payment").await,
        ];
        let sagas = [Arc::new(Sagas::default()), Arc::new(Sagas::default())];
        let clock = Arc::new(ManualClock::default());
        let options = IdempotencyOptions::default();
        let idempotency = Idempotency::new(stores[0].clone(), clock.clone(), options);
        let mut operations = Operations::new(Some(idempotency));
        let names = ["order", "payment"];
        for ((name, store), admin) in names.into_iter().zip(&stores).zip(&sagas) {
            operations.sagas.push(SagaSource {
                context: name,
                style: FulfilmentStyle::Orchestrated,
                admin: admin.clone(),
            });
            operations
                .dead_letters
                .push(DeadLetters::new(store.clone()));
            operations.auditors.push(Arc::new(Count(name)));
            let guard = Guard::new(format!("{name}.outside"), Policy::default(), clock.clone());
            operations.guards.push(guard);
        }
        operations.topology.push(Placement {
            context: "order",
            process: "cleave".into(),
            transport: Transport::Local,
            version: Some("1.2.3".into()),
            health: Arc::new(|| Condition::Ready),
        });
        let (router, _) = ops::api(operations).split_for_parts();
        Self {
            api: Api::trusting(router),
            ids: SequentialIds::default(),
            stores,
            sagas,
            _folder: folder,
        }
    }

    fn ids(&self) -> &dyn IdSource {
        &self.ids
    }

    fn saga(&self, owner: usize, status: SagaStatus) -> SagaId {
        let id: SagaId = self.ids().next();
        let order: OrderId = self.ids().next();
        self.sagas[owner].0.lock().push(view(id, order, status));
        id
    }

    async fn letter(&self, owner: usize, handler: &'static str) -> String {
        let event: EventId = self.ids().next();
        let bury = async move |tx: &Tx| -> Unit<()> {
            let sql = "INSERT INTO dead_letters (handler, subject, event_id, event_type, \
                envelope, error, attempts, waiting, failed_at, redrive_requested) \
                VALUES ($1, 'ord_1', $2, 'order.paid', '{}', 'no', 8, 0, 5, FALSE)";
            let values = [handler.into(), event.uuid().into()];
            let backend = tx.get_database_backend();
            tx.execute_raw(Statement::from_sql_and_values(backend, sql, values))
                .await?;
            Ok(())
        };
        let store = &self.stores[owner];
        store.write(bury).await.expect("buried");
        format!("{}:{handler}:{event}", store.name())
    }

    async fn get(&self, path: &str) -> Told {
        admin(self.api.get(path)).send().await
    }

    async fn post(&self, path: &str) -> Told {
        admin(self.api.post(path)).send().await
    }

    /// Every page of a list, by two.
    async fn listed(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self
                .get(&format!("{path}?limit=2{cursor}"))
                .await
                .expect(200);
            items.extend(page.json["items"].as_array().expect("items").clone());
            match page.json["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }
}

async fn store(folder: &TempDir, name: &str) -> Store {
    let path = folder.path().join(format!("{name}.db"));
    let store = Store::open_sqlite(name, path, &SqliteOptions::default()).expect("opens");
    store.migrate::<Migrator>().await.expect("migrates");
    store
}

fn ids_of(items: &[Value]) -> Vec<&str> {
    let ids = items.iter().map(|item| item["id"].as_str());
    ids.map(|id| id.expect("an id")).collect()
}

fn user() -> UserId {
    "usr_01h455vb4pex5vsknk084sn02q".parse().expect("an id")
}

fn admin(ask: Ask) -> Ask {
    ask.caller(user(), Role::Admin)
}

/// Sagas that can be taken up while they are stuck.
#[derive(Default)]
struct Sagas(Mutex<Vec<SagaView>>);

fn view(id: SagaId, order: OrderId, status: SagaStatus) -> SagaView {
    let at = Timestamp::from_micros(1_767_323_045_678_000);
    SagaView {
        id,
        kind: "order_fulfilment".into(),
        version: 1,
        subject: order.to_string(),
        status,
        steps: vec![StepView {
            name: "reserve_inventory".into(),
            action: PhaseView {
                status: "failed",
                attempts: 3,
                started_at: Some(at),
                finished_at: None,
                error: Some("unavailable".into()),
            },
            compensation: None,
        }],
        next_attempt_at: None,
        created_at: at,
        updated_at: at,
    }
}

#[async_trait]
impl SagaAdmin for Sagas {
    async fn list(&self, filter: SagaFilter) -> Result<Vec<SagaView>, SagaAdminError> {
        let mut views = self.0.lock().clone();
        views.retain(|view| {
            filter.status.is_none_or(|status| view.status == status)
                && filter
                    .subject
                    .as_ref()
                    .is_none_or(|subject| view.subject == *subject)
                && filter.before.is_none_or(|before| view.id < before)
        });
        views.sort_by_key(|view| std::cmp::Reverse(view.id));
        views.truncate(usize::try_from(filter.limit).expect("small"));
        Ok(views)
    }

    async fn find(&self, id: SagaId) -> Result<Option<SagaView>, SagaAdminError> {
        Ok(self.0.lock().iter().find(|view| view.id == id).cloned())
    }

    async fn take_up(&self, id: SagaId, how: Takeup) -> Result<SagaView, SagaAdminError> {
        let mut views = self.0.lock();
        let view = views.iter_mut().find(|view| view.id == id);
        let view = view.ok_or(SagaAdminError::Unknown)?;
        if view.status != SagaStatus::Stuck {
            return Err(SagaAdminError::NotApplicable);
        }
        view.status = match how {
            Takeup::Retry => SagaStatus::Pending,
            Takeup::Compensate => SagaStatus::Compensating,
        };
        Ok(view.clone())
    }

    async fn unowned(&self) -> Result<Vec<SagaId>, SagaAdminError> {
        Ok(Vec::new())
    }
}

/// Finds one violation in payments, and none elsewhere.
struct Count(&'static str);

#[async_trait]
impl Auditor for Count {
    async fn count(&self, _: &Seen) -> Audited {
        let violation = Violation {
            subject: "pay_1".into(),
            detail: "charged twice".into(),
        };
        Ok(vec![AuditCheck {
            name: format!("{}_is_right", self.0),
            checked: 7,
            violations: Vec::from_iter((self.0 == "payment").then_some(violation)),
        }])
    }
}

#[tokio::test]
async fn everything_here_is_for_admins() {
    let bench = Bench::new().await;
    let all = [
        ("GET", "/api/v1/ops/sagas"),
        ("GET", "/api/v1/ops/sagas/sga_01h455vb4pex5vsknk084sn02q"),
        (
            "POST",
            "/api/v1/ops/sagas/sga_01h455vb4pex5vsknk084sn02q/retry",
        ),
        (
            "POST",
            "/api/v1/ops/sagas/sga_01h455vb4pex5vsknk084sn02q/compensate",
        ),
        ("GET", "/api/v1/ops/dead-letters"),
        ("POST", "/api/v1/ops/dead-letters/x/redrive"),
        ("DELETE", "/api/v1/ops/dead-letters/x"),
        ("GET", "/api/v1/ops/breakers"),
        ("POST", "/api/v1/ops/breakers/order.outside"),
        ("GET", "/api/v1/ops/topology"),
        ("POST", "/api/v1/ops/audit"),
    ];
    for (method, path) in all {
        let ask = || match method {
            "GET" => bench.api.get(path),
            "POST" => bench.api.post(path),
            _ => bench.api.delete(path),
        };
        assert_eq!(ask().send().await.problem(401), "unauthorized", "{path}");
        let customer = ask().caller(user(), Role::Customer).send().await;
        assert_eq!(customer.problem(403), "forbidden", "{path}");
    }
}

#[tokio::test]
async fn sagas_of_all_contexts_are_one_list() {
    let bench = Bench::new().await;
    let mut ids = Vec::new();
    for owner in [0, 1, 1, 0, 1] {
        ids.push(bench.saga(owner, SagaStatus::Completed).to_string());
    }
    ids.reverse();
    let listed = bench.listed("/api/v1/ops/sagas").await;
    assert_eq!(ids_of(&listed), ids);
    let stuck = bench.saga(1, SagaStatus::Stuck);
    let some = bench
        .get("/api/v1/ops/sagas?status=stuck")
        .await
        .expect(200);
    assert_eq!(some.json["items"].as_array().expect("items").len(), 1);
    let saga = &some.json["items"][0];
    let order = saga["order_id"].as_str().expect("an order");
    let of_order = bench
        .get(&format!("/api/v1/ops/sagas?order_id={order}"))
        .await;
    assert_eq!(of_order.expect(200).json["items"][0], *saga);
    let one = bench
        .get(&format!("/api/v1/ops/sagas/{stuck}"))
        .await
        .expect(200);
    assert_eq!(one.json, *saga);
    insta::assert_json_snapshot!(one.json);
    let bad = bench.get("/api/v1/ops/sagas?status=nonsense").await;
    assert_eq!(bad.expect(422).json["errors"][0]["field"], "status");
    let none: SagaId = bench.ids().next();
    let none = bench.get(&format!("/api/v1/ops/sagas/{none}")).await;
    assert_eq!(none.problem(404), "not_found");
}

#[tokio::test]
async fn a_stuck_saga_is_taken_up_once() {
    let bench = Bench::new().await;
    for (verb, becomes) in [("retry", "pending"), ("compensate", "compensating")] {
        let id = bench.saga(1, SagaStatus::Stuck);
        let path = format!("/api/v1/ops/sagas/{id}/{verb}");
        let keyed = async || {
            admin(bench.api.post(&path))
                .key(verb)
                .send()
                .await
                .expect(200)
        };
        let first = keyed().await;
        assert_eq!(first.text("status"), becomes);
        let again = keyed().await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.json, first.json);
        assert_eq!(bench.post(&path).await.problem(409), "invalid_transition");
    }
    let none: SagaId = bench.ids().next();
    let path = format!("/api/v1/ops/sagas/{none}/retry");
    assert_eq!(bench.post(&path).await.problem(404), "not_found");
}

#[tokio::test]
async fn dead_letters_of_all_contexts_are_one_list() {
    let bench = Bench::new().await;
    let mut ids = Vec::new();
    for (owner, handler) in [(0, "a"), (1, "b"), (1, "a"), (0, "b"), (1, "c")] {
        ids.push(bench.letter(owner, handler).await);
    }
    ids.reverse();
    let listed = bench.listed("/api/v1/ops/dead-letters").await;
    assert_eq!(ids_of(&listed), ids);
    insta::assert_json_snapshot!(listed[0]);
}

#[tokio::test]
async fn a_dead_letter_is_handled_again_or_given_up() {
    let bench = Bench::new().await;
    let letter = bench.letter(1, "a").await;
    let path = format!("/api/v1/ops/dead-letters/{letter}");
    bench.post(&format!("{path}/redrive")).await.expect(202);
    let discard = async || admin(bench.api.delete(&path)).send().await;
    let lonely = bench.letter(0, "b").await;
    for unknown in [
        lonely.replace("order:", "payment:"),
        "nonsense".into(),
        "a:b:c".into(),
    ] {
        let path = format!("/api/v1/ops/dead-letters/{unknown}");
        let redriven = bench.post(&format!("{path}/redrive")).await;
        assert_eq!(redriven.problem(404), "not_found");
        let discarded = admin(bench.api.delete(&path)).send().await;
        assert_eq!(discarded.problem(404), "not_found");
    }
    discard().await.expect(204);
}

#[tokio::test]
async fn breakers_are_shown_and_held() {
    let bench = Bench::new().await;
    let listed = bench.get("/api/v1/ops/breakers").await.expect(200);
    insta::assert_json_snapshot!(listed.json);
    let set = async |name: &str, state: &str| {
        let ask = admin(bench.api.post(&format!("/api/v1/ops/breakers/{name}")));
        ask.json(&json!({"state": state})).send().await
    };
    let held = set("payment.outside", "forced_open").await.expect(200);
    assert_eq!(held.text("state"), "forced_open");
    let listed = bench.get("/api/v1/ops/breakers").await.expect(200);
    assert_eq!(listed.json["items"][1]["state"], "forced_open");
    assert_eq!(listed.json["items"][0]["state"], "closed");
    let free = set("payment.outside", "auto").await.expect(200);
    assert_eq!(free.text("state"), "closed");
    assert_eq!(set("nobody", "auto").await.problem(404), "not_found");
    let bad = set("payment.outside", "ajar").await.expect(422);
    assert_eq!(bad.json["errors"][0]["field"], "state");
}

#[tokio::test]
async fn topology_and_audit_tell_how_it_stands() {
    let bench = Bench::new().await;
    let topology = bench.get("/api/v1/ops/topology").await.expect(200);
    let audit = bench.post("/api/v1/ops/audit").await.expect(200);
    insta::assert_json_snapshot!([topology.json, audit.json]);
}
