//! The shipping context: books a shipment for an order once, follows it to its
//! arrival, and calls it off while that is still possible.
//!
//! It is built from a [`Deps`] and offers its [`ShippingPort`] and a public API.
//! Between it and the world stands a [`Carrier`], which is never asked within a
//! transaction. It handles no events: whoever wants an order shipped says so
//! through the port.

mod application;
pub mod carrier;
mod domain;
mod http;
mod persistence;
mod port;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use cleave_hosting::{Context, Needs, Task};
use cleave_messaging::DeadLetters;
use cleave_resilience::Guard;
use cleave_shipping_contract::port::{ShippingPort, routes};

use crate::application::{Shipping, make_rounds};
use crate::carrier::simulated::SimulatedCarrier;
use crate::carrier::{Carrier, GuardedCarrier};
use crate::http::Api;

pub use settings::{CarrierSettings, ShippingSettings, SimulatedSettings};

/// What the shipping context is built from.
pub struct Deps {
    /// What every context needs.
    pub needs: Needs,
    /// The settings under `shipping`.
    pub settings: ShippingSettings,
}

/// What the shipping context offers.
pub struct ShippingContext {
    /// To the host.
    pub context: Context,
    /// To other contexts.
    pub port: Arc<dyn ShippingPort>,
}

/// Builds the context over the simulated carrier.
pub fn build(deps: Deps) -> ShippingContext {
    let carrier = Arc::new(SimulatedCarrier::new(deps.needs.store.clone()));
    build_with(deps, carrier)
}

/// Builds the context over any carrier. The simulated one's rounds are made all
/// the same, unless its settings say `never`.
pub fn build_with(deps: Deps, carrier: Arc<dyn Carrier>) -> ShippingContext {
    let Deps { needs, settings } = deps;
    let policy = settings.carrier.policy();
    let guard = Guard::new("shipping.carrier", policy, needs.clock.clone());
    let carrier = GuardedCarrier::new(carrier, guard.clone());
    let shipping = Shipping::new(&needs, carrier, settings.simulated.rounds());
    let port: Arc<dyn ShippingPort> = Arc::new(shipping.clone());
    let api = Api {
        shipping: shipping.clone(),
        idempotency: needs.idempotency(),
    };
    let tasks = tasks(&api, settings.simulated.round_every);
    let context = Context {
        name: "shipping",
        api: http::routes(api),
        internal: routes(port.clone(), needs.clock.clone()),
        handlers: Vec::new(),
        tasks,
        dead_letters: DeadLetters::new(needs.store.clone()),
        store: needs.store,
        guards: vec![guard],
        sagas: None,
        auditor: Arc::new(shipping),
    };
    ShippingContext { context, port }
}

fn tasks(api: &Api, round_every: Duration) -> Vec<Task> {
    let Api {
        shipping,
        idempotency,
    } = api.clone();
    vec![
        Task::new("make_rounds", move |stop| {
            make_rounds(shipping, round_every, stop)
        }),
        Task::new("sweep_idempotency", async move |stop| {
            idempotency.sweep_until(stop).await;
        }),
    ]
}
