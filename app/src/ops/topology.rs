//! Which context runs where.

use axum::Json;
use axum::extract::State;
use cleave_web::Admin;
use serde::Serialize;

use super::Ops;
use crate::gateway::Stand;
use crate::host::{Condition, Health};
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
    /// The contexts whose events wait, because their process does not reach the
    /// broker; left out where all flow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(ignore)]
    degraded: Vec<&'static str>,
}

impl From<&Condition> for PlacementHealth {
    fn from(condition: &Condition) -> Self {
        if condition.takes_work() {
            Self::Ready
        } else {
            Self::Failing
        }
    }
}

impl PlacementBody {
    /// As the process that hosts it says now.
    fn elsewhere(context: &'static str, stand: &Stand, condition: Option<&Condition>) -> Self {
        Self {
            context,
            process: stand.base.clone(),
            transport: Transport::Http,
            health: condition.map_or(PlacementHealth::Failing, PlacementHealth::from),
            version: stand.standing.as_ref().map(|it| it.version.clone()),
        }
    }

    fn here(placement: &Placement, condition: &Condition) -> Self {
        Self {
            context: placement.context,
            process: placement.process.clone(),
            transport: placement.transport,
            health: condition.into(),
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
    let (mut items, mut unanswered, mut degraded) = (Vec::new(), Vec::new(), Vec::new());
    for placement in &ops.topology {
        let condition = (placement.health)();
        items.push(PlacementBody::here(placement, &condition));
        degraded.extend(condition.is_degraded().then_some(placement.context));
    }
    let (elsewhere, replicas) =
        tokio::join!(ops.others.standings(), ops.others.standings_of_replicas());
    for stand in elsewhere.into_iter().chain(replicas) {
        for &context in &stand.process.contexts {
            let condition = stand.condition(context);
            let condition = condition.as_ref();
            items.push(PlacementBody::elsewhere(context, &stand, condition));
            let waits = condition.is_some_and(Condition::is_degraded);
            degraded.extend(waits.then_some(context));
            let silent = condition.is_none() && !unanswered.contains(&context);
            unanswered.extend(silent.then_some(context));
        }
    }
    items.sort_by_key(|item| CONTEXTS.iter().position(|name| *name == item.context));
    degraded.sort_unstable();
    degraded.dedup();
    Json(Topology {
        items,
        unanswered,
        degraded,
    })
}
