//! Which context runs where.

use axum::Json;
use axum::extract::State;
use cleave_store::StoreHealth;
use cleave_web::Admin;
use serde::Serialize;

use super::Ops;
use crate::gateway::Process;
use crate::host::Health;
use crate::internal::Standing;
use crate::topology::CONTEXTS;

/// How a context is reached from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A call within this process.
    Local,
    /// HTTP to another process.
    Http,
}

/// Where one context runs.
#[derive(Clone)]
pub struct Placement {
    /// `order`.
    pub context: &'static str,
    /// The process: its name, or the address where it is asked.
    pub process: String,
    /// How it is reached.
    pub transport: Transport,
    /// The version of the program there, where it is known.
    pub version: Option<String>,
    /// How it is, as far as this process can tell.
    pub health: Health,
}

/// Where one context runs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Placement)]
pub(super) struct PlacementBody {
    context: &'static str,
    process: String,
    transport: Transport,
    health: PlacementHealth,
    #[schema(required)]
    version: Option<String>,
}

/// How a context is.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlacementHealth {
    /// It takes work.
    Ready,
    /// It can't keep anything.
    Failing,
}

/// Every context.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Topology {
    items: Vec<PlacementBody>,
    /// The contexts whose process did not answer; left out where all did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(ignore)]
    unanswered: Vec<&'static str>,
}

impl PlacementBody {
    /// As the process that hosts it says now.
    fn elsewhere(context: &'static str, process: &Process, standing: Option<&Standing>) -> Self {
        let hosted = standing.and_then(|standing| standing.contexts.get(context).copied());
        let stopping = standing.is_some_and(|standing| standing.stopping);
        Self {
            context,
            process: process.base.clone(),
            transport: Transport::Http,
            health: match hosted {
                Some(true) if !stopping => PlacementHealth::Ready,
                _ => PlacementHealth::Failing,
            },
            version: standing.map(|standing| standing.version.clone()),
        }
    }
}

impl From<&Placement> for PlacementBody {
    fn from(placement: &Placement) -> Self {
        Self {
            context: placement.context,
            process: placement.process.clone(),
            transport: placement.transport,
            health: match (placement.health)() {
                StoreHealth::Ready => PlacementHealth::Ready,
                StoreHealth::Failing(_) => PlacementHealth::Failing,
            },
            version: placement.version.clone(),
        }
    }
}

/// Which context runs where, and over which transport.
#[utoipa::path(
    get,
    path = "/api/v1/ops/topology",
    tag = "ops",
    operation_id = "get_topology",
    responses((status = 200, body = Topology)),
    security(("bearer" = []))
)]
pub(super) async fn get_topology(State(ops): State<Ops>, _: Admin) -> Json<Topology> {
    let mut items: Vec<_> = ops.topology.iter().map(PlacementBody::from).collect();
    let mut unanswered = Vec::new();
    for (process, standing) in ops.others.standings().await {
        for context in &process.contexts {
            items.push(PlacementBody::elsewhere(
                context,
                &process,
                standing.as_ref(),
            ));
            if standing.is_none() {
                unanswered.push(*context);
            }
        }
    }
    items.sort_by_key(|item| CONTEXTS.iter().position(|name| *name == item.context));
    Json(Topology { items, unanswered })
}
