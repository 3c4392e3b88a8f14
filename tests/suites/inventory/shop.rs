//! An inventory context over a fresh database, with the time in hand.

use cleave_tests::audits::demand_sound;
use std::sync::Arc;

use cleave_hosting::{Auditor, Needs, Task};
use cleave_inventory::{Catalogue, Deps, InventoryContext, InventorySettings, ProductRow, build};
use cleave_inventory_contract::port::{
    GetHoldings, HoldingState, InventoryPort, ReleaseStock, Released, ReserveStock, Reserved,
    StockLine, TakeStock, Taken, Wired,
};
use cleave_store::{Store, Tx, UnitError};
use cleave_tests::api::{Api, Ask};
use cleave_tests::stores::{TempStore, events_of};
use cleave_vocabulary::{
    CallContext, Currency, Envelope, IdSource, ManualClock, Money, OrderId, PortError, ProductId,
    Refusal, UserId, UuidV7Ids,
};
use cleave_web::{IdempotencyOptions, Role};
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The context under test.
pub(super) struct Shop {
    pub(super) port: Arc<dyn InventoryPort>,
    pub(super) catalogue: Catalogue,
    pub(super) auditor: Arc<dyn Auditor>,
    pub(super) api: Api,
    tasks: Mutex<Vec<Task>>,
    pub(super) store: Store,
    pub(super) clock: ManualClock,
    pub(super) ids: Arc<dyn IdSource>,
    admin: UserId,
    _folder: TempDir,
}

impl Shop {
    pub(super) async fn open() -> Self {
        Self::with(InventorySettings::default()).await
    }

    pub(super) async fn with(settings: InventorySettings) -> Self {
        let TempStore { store, folder } =
            TempStore::open::<cleave_migrations::inventory::Migrator>().await;
        let clock = ManualClock::default();
        let ids: Arc<dyn IdSource> = Arc::new(UuidV7Ids);
        let needs = Needs {
            store: store.clone(),
            clock: Arc::new(clock.clone()),
            ids: ids.clone(),
            idempotency: IdempotencyOptions::default(),
        };
        let InventoryContext {
            context,
            port,
            catalogue,
        } = build(Deps { needs, settings });
        let (routes, _) = context.api.split_for_parts();
        Self {
            // What a caller in another process would see.
            port: Arc::new(Wired::new(port, Arc::new(clock.clone()))),
            catalogue,
            api: Api::trusting(routes),
            auditor: context.auditor,
            tasks: Mutex::new(context.tasks),
            store,
            clock,
            admin: ids.next(),
            ids,
            _folder: folder,
        }
    }

    /// Products with so many units each, in the order given.
    pub(super) async fn stocked<const N: usize>(&self, units: [i64; N]) -> [ProductId; N] {
        let rows: Vec<ProductRow> = units
            .iter()
            .enumerate()
            .map(|(index, on_hand)| row(&format!("SKU-{index:04}"), *on_hand))
            .collect();
        let imported = self.catalogue.import_products(&rows).await;
        assert_eq!(imported.expect("imports").inserted, N as u64);
        let ids: Vec<Uuid> = self
            .column("SELECT id AS value FROM products ORDER BY sku")
            .await;
        let ids: Vec<ProductId> = ids.into_iter().map(ProductId::from_uuid).collect();
        ids.try_into().expect("as many as asked for")
    }

    /// One column of a query, as `value`.
    pub(super) async fn column<T>(&self, sql: &'static str) -> Vec<T>
    where
        T: sea_orm::TryGetable + Send + 'static,
    {
        let rows = self.store.read(async move |tx: &Tx| {
            let statement = Statement::from_string(tx.get_database_backend(), sql);
            let rows = tx.query_all_raw(statement).await?;
            let values = rows.iter().map(|row| row.try_get("", "value"));
            Ok(values.collect::<Result<Vec<T>, DbErr>>()?)
        });
        rows.await
            .map_err(UnitError::<std::convert::Infallible>::into_store_error)
            .expect("reads")
    }

    pub(super) fn order(&self) -> OrderId {
        self.ids.next()
    }

    pub(super) fn call(&self) -> CallContext {
        CallContext::root(&*self.ids)
    }

    pub(super) async fn reserve(
        &self,
        order: OrderId,
        key: &str,
        lines: &[(ProductId, u32)],
    ) -> Result<Reserved, PortError> {
        let lines = lines.iter().map(|(product_id, quantity)| StockLine {
            product_id: *product_id,
            quantity: *quantity,
        });
        let command = ReserveStock {
            key: key.into(),
            order_id: order,
            lines: lines.collect(),
        };
        self.port.reserve(&self.call(), command).await
    }

    pub(super) async fn take(&self, order: OrderId, key: &str) -> Result<Taken, PortError> {
        let command = TakeStock {
            key: key.into(),
            order_id: order,
        };
        self.port.take(&self.call(), command).await
    }

    pub(super) async fn release(&self, order: OrderId, key: &str) -> Result<Released, PortError> {
        let command = ReleaseStock {
            key: key.into(),
            order_id: order,
        };
        self.port.release(&self.call(), command).await
    }

    pub(super) async fn holding(&self, order: OrderId) -> Option<HoldingState> {
        let asked = GetHoldings {
            order_ids: vec![order],
        };
        let holdings = self.port.holdings(&self.call(), asked).await;
        let items = holdings.expect("answers").items;
        items.first().map(|holding| holding.state)
    }

    /// On hand and reserved, in the order of the skus.
    pub(super) async fn stock(&self) -> Vec<(i64, i64)> {
        let on_hand = "SELECT stock.on_hand AS value FROM stock \
             JOIN products ON products.id = stock.product_id ORDER BY products.sku";
        let reserved = "SELECT stock.reserved AS value FROM stock \
             JOIN products ON products.id = stock.product_id ORDER BY products.sku";
        let on_hand: Vec<i64> = self.column(on_hand).await;
        let reserved: Vec<i64> = self.column(reserved).await;
        on_hand.into_iter().zip(reserved).collect()
    }

    /// The events so far.
    pub(super) async fn events(&self) -> Vec<Envelope> {
        events_of(&self.store).await
    }

    /// The types of the events so far.
    pub(super) async fn told(&self) -> Vec<String> {
        let events = self.events().await;
        events.iter().map(|event| event.kind.to_string()).collect()
    }

    /// Starts the background work.
    pub(super) fn start(&self) -> Running {
        let stop = CancellationToken::new();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let running = tasks.into_iter().map(|task| (task.run)(stop.clone()));
        let tasks = running.collect();
        Running { stop, tasks }
    }

    /// The same request, from an admin.
    pub(super) fn as_admin(&self, ask: Ask) -> Ask {
        ask.caller(self.admin, Role::Admin)
    }

    /// Every invariant holds.
    pub(super) async fn is_sound(&self) {
        demand_sound(&*self.auditor).await;
    }
}

/// Background work, until it is stopped.
pub(super) struct Running {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.tasks.join_all().await;
    }
}

/// A row of an import at 100 pence.
pub(super) fn row(sku: &str, on_hand: i64) -> ProductRow {
    ProductRow {
        sku: sku.into(),
        name: format!("Product {sku}"),
        price: Money::new(100, Currency::GBP),
        on_hand,
    }
}

/// The refusal, where it is one.
pub(super) fn refused<T: std::fmt::Debug>(outcome: Result<T, PortError>) -> Refusal {
    match outcome {
        Err(PortError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
