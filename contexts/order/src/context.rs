//! The context as a value: built from what it needs, it gives what it offers.

use std::sync::Arc;

use cleave_hosting::{Context, Needs, Task};
use cleave_inventory_contract::port::{Guarded as GuardedInventory, InventoryPort};
use cleave_messaging::{DeadLetters, Handler, Interest};
use cleave_payment_contract::port::{Guarded as GuardedPayment, PaymentPort};
use cleave_resilience::{Guard, Policy};
use cleave_saga::{DefinitionError, Engine, EngineParts};
use cleave_shipping_contract::port::{Guarded as GuardedShipping, ShippingPort};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::application::{News, Orders, Progress, Rebuild};
use crate::fulfilment::{FulfilOrderV1, Workshop};
use crate::messaging::{FulfilmentEvents, ReadModel};
use crate::operations::{OrderAuditor, Sagas};
use crate::{OrderSettings, http};

/// What the order context is built from.
pub struct Deps {
    /// What every context needs.
    pub needs: Needs,
    /// The settings under `order`.
    pub settings: OrderSettings,
    /// Stock and catalogue; guarded here.
    pub inventory: Arc<dyn InventoryPort>,
    /// Payments; guarded here.
    pub payment: Arc<dyn PaymentPort>,
    /// Shipping; guarded here.
    pub shipping: Arc<dyn ShippingPort>,
}

/// What the order context offers.
pub struct OrderContext {
    /// To the host.
    pub context: Context,
    /// Its sagas.
    pub engine: Engine,
    /// Makes its read model anew.
    pub rebuild: Rebuild,
}

/// Why the context was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A setting that makes no sense; it is named.
    #[error("{0}")]
    Settings(String),
    /// The steps of fulfilment and the settings do not fit together.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
}

/// Builds the context.
pub fn build(deps: Deps) -> Result<OrderContext, BuildError> {
    deps.settings.validate().map_err(BuildError::Settings)?;
    let ports = Ports::guard(&deps);
    let Deps {
        needs, settings, ..
    } = deps;
    let news = News::new(needs.clock.clone(), needs.ids.clone());
    let progress = Progress {
        clock: needs.clock.clone(),
        news: news.clone(),
    };
    let engine = engine(&needs, &settings, &ports, &progress)?;
    let orders = Arc::new(Orders {
        store: needs.store.clone(),
        clock: needs.clock.clone(),
        ids: needs.ids.clone(),
        idempotency: needs.idempotency(),
        inventory: ports.inventory.clone(),
        payment: ports.payment.clone(),
        engine: engine.clone(),
        news: news.clone(),
        streams: Arc::new(Semaphore::new(settings.follow.streams)),
        closing: CancellationToken::new(),
        settings,
    });
    let auditor = OrderAuditor {
        store: needs.store.clone(),
        clock: needs.clock.clone(),
        ids: needs.ids.clone(),
        inventory: ports.inventory,
        payment: ports.payment,
        engine: engine.clone(),
    };
    let context = Context {
        name: "order",
        api: http::routes(orders.clone()),
        internal: axum::Router::new(),
        handlers: handlers(&needs, &news, &progress, &engine),
        tasks: tasks(&orders),
        store: needs.store.clone(),
        dead_letters: DeadLetters::new(needs.store.clone()),
        guards: ports.guards,
        sagas: Some(Arc::new(Sagas(engine.clone()))),
        auditor: Arc::new(auditor),
    };
    let rebuild = Rebuild { store: needs.store };
    Ok(OrderContext {
        context,
        engine,
        rebuild,
    })
}

/// The ports of other contexts, each behind its guard.
struct Ports {
    inventory: Arc<dyn InventoryPort>,
    payment: Arc<dyn PaymentPort>,
    shipping: Arc<dyn ShippingPort>,
    guards: Vec<Guard>,
}

impl Ports {
    fn guard(deps: &Deps) -> Self {
        let guard = |name: &str, policy: &Policy| {
            Guard::new(name, policy.clone(), deps.needs.clock.clone())
        };
        let inventory = guard("order.inventory", &deps.settings.inventory);
        let payment = guard("order.payment", &deps.settings.payment);
        let shipping = guard("order.shipping", &deps.settings.shipping);
        Self {
            guards: vec![inventory.clone(), payment.clone(), shipping.clone()],
            inventory: Arc::new(GuardedInventory::new(deps.inventory.clone(), inventory)),
            payment: Arc::new(GuardedPayment::new(deps.payment.clone(), payment)),
            shipping: Arc::new(GuardedShipping::new(deps.shipping.clone(), shipping)),
        }
    }
}

fn engine(
    needs: &Needs,
    settings: &OrderSettings,
    ports: &Ports,
    progress: &Progress,
) -> Result<Engine, DefinitionError> {
    let engine = Engine::new(EngineParts {
        store: needs.store.clone(),
        clock: needs.clock.clone(),
        ids: needs.ids.clone(),
        options: settings.saga.clone(),
        sole_owner: !needs.store.is_shared(),
    });
    engine.register(FulfilOrderV1(Arc::new(Workshop {
        inventory: ports.inventory.clone(),
        payment: ports.payment.clone(),
        shipping: ports.shipping.clone(),
        store: needs.store.clone(),
        progress: progress.clone(),
        steps: settings.steps.clone(),
    })))?;
    Ok(engine)
}

const READ_MODEL: Interest = Interest {
    handler: ReadModel::NAME,
    types: ReadModel::TYPES,
};
const FULFILMENT: Interest = Interest {
    handler: "fulfilment",
    types: FulfilmentEvents::TYPES,
};
/// What this context's handlers want.
pub const INTERESTS: &[Interest] = &[READ_MODEL, FULFILMENT];

fn handlers(needs: &Needs, news: &News, progress: &Progress, engine: &Engine) -> Vec<Handler> {
    let read_model = ReadModel {
        freshness: news.freshness.clone(),
    };
    let fulfilment = FulfilmentEvents {
        engine: engine.clone(),
        progress: progress.clone(),
        clock: needs.clock.clone(),
    };
    vec![
        Handler {
            name: READ_MODEL.handler,
            types: READ_MODEL.types,
            apply: Arc::new(read_model),
        },
        Handler {
            name: FULFILMENT.handler,
            types: FULFILMENT.types,
            apply: Arc::new(fulfilment),
        },
    ]
}

fn tasks(orders: &Arc<Orders>) -> Vec<Task> {
    let (engine, closing) = (orders.engine.clone(), orders.closing.clone());
    let idempotency = orders.idempotency.clone();
    vec![
        Task::new(
            "drive_sagas",
            move |stop| async move { engine.run(stop).await },
        ),
        Task::new("end_live_timelines", move |stop| async move {
            stop.cancelled().await;
            closing.cancel();
        }),
        Task::new("forget_idempotency_keys", move |stop| async move {
            idempotency.sweep_until(stop).await;
        }),
    ]
}
