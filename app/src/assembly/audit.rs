//! Who counts which invariants: each context its own, and the host those of
//! the events between them.

use std::sync::Arc;

use cleave_hosting::{Auditor, Context};
use cleave_seam::Endpoint;

use super::{Assembly, StartError};
use crate::audit::port::{AuditPort, Client, Guarded};
use crate::audit::{EventsAuditor, LocalAudit, Patient, RemoteAuditor, Reporting, Watched};
use crate::topology::CONTEXTS;

/// The auditors over all contexts; to be asked before their handlers begin to run.
pub(super) fn auditors(assembly: &Assembly) -> Result<Vec<Arc<dyn Auditor>>, StartError> {
    let here: Arc<dyn AuditPort> = Arc::new(LocalAudit::over(&assembly.contexts));
    let split = assembly.topology.is_split();
    let reporting = |of: &'static str, inner: Arc<dyn Auditor>| -> Arc<dyn Auditor> {
        if split {
            Arc::new(Reporting { of, inner })
        } else {
            inner
        }
    };
    let (mut auditors, mut contexts) = (Vec::new(), Vec::new());
    for context in CONTEXTS {
        let own = assembly.contexts.iter().find(|it| it.name == context);
        let port = match endpoint(assembly, context)? {
            Some(endpoint) => patient(assembly, context, Arc::new(Client::new(endpoint))),
            None => here.clone(),
        };
        let at = Watched { context, port };
        contexts.push(at.clone());
        auditors.push(reporting(context, auditor(assembly, own, at)));
    }
    let events = EventsAuditor {
        contexts,
        bus: assembly.bus.clone(),
        clock: assembly.world.clock.clone(),
        ids: assembly.world.ids.clone(),
        memory: assembly.inbox_retention,
    };
    auditors.push(reporting("events", Arc::new(events)));
    Ok(auditors)
}

/// The port of another process behind its guard. The deadline stands before the guard: it
/// bounds what waits for a place, and repeats, as well.
fn patient(
    assembly: &Assembly,
    context: &'static str,
    client: Arc<dyn AuditPort>,
) -> Arc<dyn AuditPort> {
    let to = match assembly.guards.audit.get(context) {
        Some(guard) => Arc::new(Guarded::new(client, guard.clone())),
        None => client,
    };
    Arc::new(Patient {
        to,
        clock: assembly.world.clock.clone(),
        to_count: assembly.audit_time,
    })
}

fn auditor(assembly: &Assembly, own: Option<&Context>, at: Watched) -> Arc<dyn Auditor> {
    match own {
        Some(context) => context.auditor.clone(),
        None => Arc::new(RemoteAuditor {
            at,
            ids: assembly.world.ids.clone(),
        }),
    }
}

/// The process that has a context, where that is another.
fn endpoint(assembly: &Assembly, context: &'static str) -> Result<Option<Endpoint>, StartError> {
    let Some(links) = &assembly.links else {
        return Ok(None);
    };
    let found = links.process_of(context);
    found.map_err(|reason| StartError::of(context, reason))
}
