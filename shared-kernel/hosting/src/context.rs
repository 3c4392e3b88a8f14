//! What a context needs from its host, and what it offers.

use std::sync::Arc;

use cleave_messaging::{DeadLetters, Handler};
use cleave_resilience::Guard;
use cleave_store::Store;
use cleave_vocabulary::{Clock, IdSource};
use cleave_web::{Idempotency, IdempotencyOptions};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::{Auditor, SagaAdmin};

/// What every context needs; its own ports and settings come beside it.
#[derive(Clone)]
pub struct Needs {
    /// Its database, migrated.
    pub store: Store,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives ids.
    pub ids: Arc<dyn IdSource>,
    /// How long outcomes of idempotent requests are kept.
    pub idempotency: IdempotencyOptions,
}

impl Needs {
    /// The idempotency records over the context's store.
    pub fn idempotency(&self) -> Idempotency {
        Idempotency::new(
            self.store.clone(),
            self.clock.clone(),
            self.idempotency.clone(),
        )
    }
}

/// Work that goes on in the background until it is told to stop, and then
/// finishes what it has begun.
pub struct Task {
    /// For logs: `expire_reservations`.
    pub name: &'static str,
    /// Runs until the token is cancelled.
    pub run: Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>,
}

impl Task {
    /// A task from an async function of the stop token.
    pub fn new<F>(
        name: &'static str,
        run: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            name,
            run: Box::new(move |stop| Box::pin(run(stop))),
        }
    }
}

/// What a context offers.
pub struct Context {
    /// `order`.
    pub name: &'static str,
    /// The public API with its document; paths from the root (`/api/v1/orders/…`).
    pub api: OpenApiRouter,
    /// The port's routes, from the root (`/internal/v1/order/…`).
    pub internal: axum::Router,
    /// What it does when events arrive.
    pub handlers: Vec<Handler>,
    /// What it does in the background.
    pub tasks: Vec<Task>,
    /// Its database, for relay, consumer, health and close.
    pub store: Store,
    /// Its dead letters.
    pub dead_letters: DeadLetters,
    /// The guards before the ports and adapters that it calls.
    pub guards: Vec<Guard>,
    /// Its sagas, where it has any.
    pub sagas: Option<Arc<dyn SagaAdmin>>,
    /// Counts its invariants.
    pub auditor: Arc<dyn Auditor>,
}
