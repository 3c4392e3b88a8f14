//! Who counts which invariants: each context its own, and the host those of
//! the events between them.

use std::sync::Arc;
use std::time::Duration;

use cleave_hosting::{Auditor, Context};
use cleave_messaging::EventBus;

use super::World;
use crate::audit::{EventsAuditor, Route};

/// The auditors over `contexts`; to be asked before their handlers begin to run.
pub(super) fn auditors(
    contexts: &[Context],
    bus: &Arc<dyn EventBus>,
    world: &World,
    memory: Duration,
) -> Vec<Arc<dyn Auditor>> {
    let outboxes = contexts
        .iter()
        .map(|context| context.store.clone())
        .collect();
    let routes = contexts.iter().flat_map(routes).collect();
    let mut auditors: Vec<Arc<dyn Auditor>> = contexts
        .iter()
        .map(|context| context.auditor.clone())
        .collect();
    auditors.push(Arc::new(EventsAuditor {
        outboxes,
        routes,
        bus: bus.clone(),
        clock: world.clock.clone(),
        memory,
    }));
    auditors
}

fn routes(context: &Context) -> impl Iterator<Item = Route> + '_ {
    context.handlers.iter().map(|handler| Route {
        consumer: format!("{}.{}", context.name, handler.name),
        handler: handler.name,
        types: handler.types,
        store: context.store.clone(),
    })
}
