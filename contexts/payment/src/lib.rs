//! The payment context: takes the money for an order once, and gives it back.
//!
//! It is built from a [`Deps`] and offers its [`PaymentPort`] and a public API.
//! Between it and the world stands a [`gateway::PaymentGateway`],
//! which is never asked within a transaction. It handles no events: whoever
//! wants an order charged says so through the port.

mod application;
mod domain;
pub mod gateway;
mod http;
mod persistence;
mod port;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use cleave_hosting::{Context, Needs, Task};
use cleave_messaging::DeadLetters;
use cleave_payment_contract::port::{PaymentPort, routes};
use cleave_resilience::Guard;
use cleave_store::Store;

use crate::application::{Payments, sweep};
use crate::gateway::simulated::SimulatedGateway;
use crate::gateway::{GuardedGateway, PaymentGateway};
use crate::http::Api;

pub use settings::{GatewaySettings, PaymentSettings, SimulatedSettings};

/// What the payment context is built from.
pub struct Deps {
    /// What every context needs.
    pub needs: Needs,
    /// The settings under `payment`.
    pub settings: PaymentSettings,
    /// The simulated gateway's own books: a store of its own, migrated with its
    /// own migrator. They are the outside world's and are not ours to make
    /// durable; the host closes them.
    pub books: Store,
}

/// What the payment context offers.
pub struct PaymentContext {
    /// To the host.
    pub context: Context,
    /// To other contexts.
    pub port: Arc<dyn PaymentPort>,
}

/// Builds the context over the simulated gateway.
pub fn build(deps: Deps) -> PaymentContext {
    let Deps {
        needs,
        settings,
        books,
    } = deps;
    let latency = settings.simulated.latency;
    let gateway = Arc::new(SimulatedGateway::new(books, needs.clock.clone(), latency));
    build_with(needs, &settings, gateway)
}

/// Builds the context over any gateway.
pub fn build_with(
    needs: Needs,
    settings: &PaymentSettings,
    gateway: Arc<dyn PaymentGateway>,
) -> PaymentContext {
    let policy = settings.gateway.policy();
    let guard = Guard::new("payment.gateway", policy, needs.clock.clone());
    let payments = Payments::new(&needs, GuardedGateway::new(gateway, guard.clone()));
    let port: Arc<dyn PaymentPort> = Arc::new(payments.clone());
    let api = Api {
        payments: payments.clone(),
        idempotency: needs.idempotency(),
    };
    let tasks = tasks(&api, settings.refund_sweep_every);
    let context = Context {
        name: "payment",
        api: http::routes(api),
        internal: routes(port.clone(), needs.clock.clone()),
        handlers: Vec::new(),
        tasks,
        dead_letters: DeadLetters::new(needs.store.clone()),
        store: needs.store,
        guards: vec![guard],
        sagas: None,
        auditor: Arc::new(payments),
    };
    PaymentContext { context, port }
}

fn tasks(api: &Api, sweep_every: Duration) -> Vec<Task> {
    let Api {
        payments,
        idempotency,
    } = api.clone();
    vec![
        Task::new("settle_refunds", move |stop| {
            sweep(payments, sweep_every, stop)
        }),
        Task::new("sweep_idempotency", async move |stop| {
            idempotency.sweep_until(stop).await;
        }),
    ]
}
