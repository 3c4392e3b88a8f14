//! `/api/v1/ops`: what operators see and do, over all contexts of this process.
//! Everything here is for admins. Nothing here decides: each context says what
//! may be done with its sagas, letters and breakers, and counts its own invariants.

mod audit;
mod breakers;
mod dead_letters;
mod keyed;
mod sagas;
mod topology;

use std::sync::Arc;

use cleave_hosting::{Auditor, SagaAdmin};
use cleave_messaging::DeadLetters;
use cleave_resilience::Guard;
use cleave_web::Idempotency;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::gateway::Others;

pub use audit::AUDIT;
pub(crate) use breakers::joined;
pub use sagas::{FulfilmentStyle, SagaSource};
pub use topology::{Placement, Transport};

/// What operators look at.
pub struct Operations {
    /// The sagas of each context that has any.
    pub sagas: Vec<SagaSource>,
    /// The dead letters of each context.
    pub dead_letters: Vec<DeadLetters>,
    /// Every guard, by its name.
    pub guards: Vec<Guard>,
    /// Where each context runs.
    pub topology: Vec<Placement>,
    /// The processes that host the other contexts.
    pub others: Others,
    /// Count the invariants of each context.
    pub auditors: Vec<Arc<dyn Auditor>>,
    /// Outcomes of operators' requests; of any context of this process, and none
    /// where it has no context.
    pub idempotency: Option<Idempotency>,
}

impl Operations {
    /// Nothing to look at yet.
    pub fn new(idempotency: Option<Idempotency>) -> Self {
        Self {
            sagas: Vec::new(),
            dead_letters: Vec::new(),
            guards: Vec::new(),
            topology: Vec::new(),
            others: Others::default(),
            auditors: Vec::new(),
            idempotency,
        }
    }

    /// Takes what a context offers to operators.
    pub fn add(&mut self, context: &cleave_hosting::Context, style: FulfilmentStyle) {
        let sagas = context
            .sagas
            .clone()
            .map(|admin: Arc<dyn SagaAdmin>| SagaSource {
                context: context.name,
                style,
                admin,
            });
        self.sagas.extend(sagas);
        self.dead_letters.push(context.dead_letters.clone());
        self.guards.extend(context.guards.iter().cloned());
    }
}

type Ops = Arc<Operations>;

/// The routes with their document.
pub fn api(operations: Operations) -> OpenApiRouter {
    OpenApiRouter::default()
        .routes(routes!(sagas::list_sagas))
        .routes(routes!(sagas::get_saga))
        .routes(routes!(sagas::retry_saga))
        .routes(routes!(sagas::compensate_saga))
        .routes(routes!(dead_letters::list_dead_letters))
        .routes(routes!(dead_letters::redrive_dead_letter))
        .routes(routes!(dead_letters::discard_dead_letter))
        .routes(routes!(breakers::list_breakers))
        .routes(routes!(breakers::set_breaker))
        .routes(routes!(topology::get_topology))
        .routes(routes!(audit::run_audit))
        .with_state(Arc::new(operations))
}
