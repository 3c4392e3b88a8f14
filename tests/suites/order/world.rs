//! The order context, whole and running, over a real database; the contexts
//! that it calls are played by a [`Shop`], through the codec of the wire.

use cleave_tests::audits::demand_sound;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use cleave_hosting::{AuditCheck, Auditor, Needs, SagaAdmin};
use cleave_inventory_contract::port::Wired as WiredInventory;
use cleave_messaging::{
    Consumer, ConsumerOptions, DeadLetters, EventBus, InProcessBus, InProcessOptions, Relay,
    RelayHandle, RelayOptions,
};
use cleave_order::{Deps, OrderSettings, Rebuild, build};
use cleave_payment_contract::port::Wired as WiredPayment;
use cleave_saga::{SagaFilter, SagaStatus, SagaView};
use cleave_shipping_contract::port::Wired as WiredShipping;
use cleave_store::Store;
use cleave_tests::api::{Api, Ask, Told};
use cleave_tests::stores::TempStore;
use cleave_vocabulary::{Clock, IdSource, OrderId, ProductId, SystemClock, UserId, UuidV7Ids};
use cleave_web::{IdempotencyOptions, Role};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::shop::{Gate, Shop, Then};

pub(super) struct World {
    pub(super) temp: Arc<TempStore>,
    settings: OrderSettings,
    pub(super) shop: Arc<Shop>,
    pub(super) api: Api,
    pub(super) routes: Router,
    pub(super) customer: UserId,
    pub(super) rebuild: Rebuild,
    pub(super) sagas: Arc<dyn SagaAdmin>,
    auditor: Arc<dyn Auditor>,
    dead_letters: DeadLetters,
    relay: RelayHandle,
    halt: CancellationToken,
    tasks: JoinSet<()>,
}

/// Settings under which nobody waits longer than a test likes to.
fn quick() -> OrderSettings {
    let mut settings = OrderSettings::default();
    settings.steps.attempts = 3;
    settings.steps.backoff = Duration::from_millis(1);
    settings.steps.backoff_limit = Duration::from_millis(5);
    settings.saga.poll = Duration::from_millis(5);
    settings.saga.compensation_attempts = 3;
    settings.follow.linger = Duration::from_millis(1);
    settings.list_freshness = Duration::from_secs(5);
    settings
}

fn bus() -> Arc<dyn EventBus> {
    let options = InProcessOptions::default();
    Arc::new(InProcessBus::new(&options, Arc::new(SystemClock)))
}

impl World {
    pub(super) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings.
    pub(super) async fn with(change: impl FnOnce(&mut OrderSettings)) -> Self {
        let temp = TempStore::open::<cleave_migrations::order::Migrator>().await;
        Self::over(temp, change).await
    }

    async fn over(temp: TempStore, change: impl FnOnce(&mut OrderSettings)) -> Self {
        let bus = bus();
        let shop = Arc::new(Shop::new(bus.clone()));
        let mut settings = quick();
        change(&mut settings);
        Self::start(Arc::new(temp), shop, bus, settings).await
    }

    /// Ends it as a dead process does, with its bus, and starts it again over
    /// what it left.
    pub(super) async fn crash(&mut self) {
        self.tasks.shutdown().await;
        let bus = bus();
        let (temp, shop) = (self.temp.clone(), self.shop.clone());
        let mut next = Self::start(temp, shop, bus.clone(), self.settings.clone()).await;
        next.customer = self.customer;
        *self = next;
        self.shop.move_to(bus).await;
    }

    async fn start(
        temp: Arc<TempStore>,
        shop: Arc<Shop>,
        bus: Arc<dyn EventBus>,
        settings: OrderSettings,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let needs = Needs {
            store: temp.store.clone(),
            clock: clock.clone(),
            ids: Arc::new(UuidV7Ids),
            idempotency: IdempotencyOptions::default(),
        };
        let built = build(Deps {
            needs,
            settings: settings.clone(),
            inventory: Arc::new(WiredInventory::new(shop.clone(), clock.clone())),
            payment: Arc::new(WiredPayment::new(shop.clone(), clock.clone())),
            shipping: Arc::new(WiredShipping::new(shop.clone(), clock.clone())),
        });
        let built = built.expect("settings that make sense");
        let context = built.context;
        let (halt, mut tasks) = (CancellationToken::new(), JoinSet::new());
        for task in context.tasks {
            tasks.spawn((task.run)(halt.clone()));
        }
        let consumer = Consumer {
            context: context.name,
            handlers: context.handlers,
            store: context.store.clone(),
            bus: bus.clone(),
            clock: clock.clone(),
            options: ConsumerOptions::default(),
            dead_letters: context.dead_letters.clone(),
        };
        tasks.spawn(consumer.start(halt.clone()).await.expect("subscribes"));
        let relay = Relay::new(context.store, bus, clock, RelayOptions::default());
        let handle = relay.handle();
        tasks.spawn(relay.run(halt.clone()));
        let (routes, _document) = context.api.split_for_parts();
        Self {
            temp,
            settings,
            shop,
            api: Api::trusting(routes.clone()),
            routes,
            customer: UserId::from_uuid(UuidV7Ids.uuid()),
            rebuild: built.rebuild,
            sagas: context.sagas.expect("sagas"),
            auditor: context.auditor,
            dead_letters: context.dead_letters,
            relay: handle,
            halt,
            tasks,
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.temp.store
    }

    /// A GET by the customer.
    pub(super) fn get(&self, path: &str) -> Ask {
        self.api.get(path).caller(self.customer, Role::Customer)
    }

    /// A POST by the customer.
    pub(super) fn post(&self, path: &str) -> Ask {
        self.api.post(path).caller(self.customer, Role::Customer)
    }

    /// An order of the customer's, placed and left to itself.
    pub(super) async fn place(&self, body: &Value) -> OrderId {
        let told = self
            .post("/api/v1/orders")
            .json(body)
            .send()
            .await
            .expect(201);
        id_of(&told)
    }

    /// The same, settled: with the order as it then is.
    pub(super) async fn place_and_wait(&self, body: &Value) -> Told {
        let ask = self.post("/api/v1/orders").header("prefer", "wait=20");
        ask.json(body).send().await.expect(201)
    }

    pub(super) async fn order(&self, id: OrderId) -> Value {
        self.get(&format!("/api/v1/orders/{id}"))
            .send()
            .await
            .expect(200)
            .json
    }

    pub(super) async fn saga(&self, id: OrderId) -> SagaView {
        let filter = SagaFilter {
            subject: Some(id.to_string()),
            limit: 2,
            ..SagaFilter::default()
        };
        let mut sagas = self.sagas.list(filter).await.expect("sagas");
        assert_eq!(sagas.len(), 1, "one saga for an order");
        sagas.remove(0)
    }

    /// Waits for an order to become what is awaited.
    pub(super) async fn order_until(&self, id: OrderId, awaited: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..4000 {
            let order = self.order(id).await;
            if awaited(&order) {
                return order;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("still {}", self.order(id).await);
    }

    /// Waits until there is a shipment of an order: it can't be called off any more.
    pub(super) async fn until_shipment(&self, id: OrderId) -> Value {
        self.order_until(id, |order| order["shipment"].is_object())
            .await
    }

    /// Waits until an order is cancelled.
    pub(super) async fn until_cancelled(&self, id: OrderId) -> Value {
        self.order_until(id, |order| order["status"] == "cancelled")
            .await
    }

    /// Waits for a saga to stand so.
    pub(super) async fn saga_until(&self, id: OrderId, status: SagaStatus) -> SagaView {
        for _ in 0..4000 {
            let saga = self.saga(id).await;
            if saga.status == status {
                return saga;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("still {:?}", self.saga(id).await);
    }

    /// Returns once everything that was said was heard.
    pub(super) async fn quiet(&self) {
        self.shop.heard().await;
        self.relay.settled().await.expect("relayed");
    }

    pub(super) async fn audit(&self) -> Vec<AuditCheck> {
        self.auditor.audit().await.expect("an audit")
    }

    /// At the end of a story: nothing is left over, and every invariant holds.
    pub(super) async fn close(mut self) {
        self.quiet().await;
        let dead = self
            .dead_letters
            .list(None, 10)
            .await
            .expect("dead letters");
        assert!(dead.is_empty(), "{dead:?}");
        demand_sound(&*self.auditor).await;
        self.halt.cancel();
        while let Some(task) = self.tasks.join_next().await {
            task.expect("a task that ends well");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.halt.cancel();
    }
}

/// An order whose fulfilment waits within the call of this operation.
pub(super) async fn held_at(operation: &'static str) -> (World, OrderId, Gate) {
    let world = World::open().await;
    let gate = Gate::new();
    world.shop.script(operation, [Then::Wait(gate.clone())]);
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    gate.reached().await;
    (world, id, gate)
}

pub(super) fn id_of(told: &Told) -> OrderId {
    told.text("id").parse().expect("an order's id")
}

/// The body of an order, for so many of each product.
pub(super) fn body(items: &[(ProductId, u32)]) -> Value {
    let items: Vec<_> = items
        .iter()
        .map(|(product, quantity)| json!({"product_id": product, "quantity": quantity}))
        .collect();
    json!({
        "items": items,
        "payment_method": "pm_card_visa",
        "shipping_address": {
            "name": "A. Buyer",
            "line1": "1 High Street",
            "city": "Leeds",
            "postal_code": "LS1 1AA",
            "country": "GB",
        },
    })
}
