//! One front door. A request passes, from the outside in: correlation and its
//! trace span; compression; authentication; the door (rate limit, size,
//! time, panics, security headers, metrics); `If-None-Match`; and then the
//! router of its context, in this process or elsewhere. Contexts authorise for
//! themselves.

mod client;
mod docs;
mod document;
mod door;
mod each;
mod forward;
mod gather;
mod headers;
mod keys;
mod others;
mod rate_limit;
mod settings;
mod unknown;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use cleave_user_contract::port::UserPort;
use cleave_vocabulary::{Clock, IdSource};
use cleave_web::{Authenticate, TokenVerifier, conditional, correlate, method_not_allowed};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa_axum::router::OpenApiRouter;

use crate::host::{Elsewhere, Far, Health, HttpSettings, Metrics, Readiness, health, metrics};
use door::{Door, Visitors};
use gather::Gather;
use rate_limit::RateLimit;

pub use document::document;
pub(crate) use document::{PROBLEM_JSON, add_problem};
pub use keys::{fetch_keys, keep_keys};
pub use others::{Others, Stand};
pub use settings::{ForwardSettings, GatewaySettings, RateLimitSettings};

/// A context, as the gateway sees it.
pub struct Front {
    /// `order`.
    pub name: &'static str,
    /// Its public API, paths from the root.
    pub api: OpenApiRouter,
    /// How it is.
    pub health: Health,
}

/// What the gateway is built from.
#[derive(Clone)]
pub struct Parts {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives correlation ids.
    pub ids: Arc<dyn IdSource>,
    /// Verifies tokens; see [`keep_keys`].
    pub verifier: TokenVerifier,
    /// Shows the public keys.
    pub users: Arc<dyn UserPort>,
    /// The metrics to show.
    pub metrics: Metrics,
    /// The settings of `http`.
    pub http: HttpSettings,
    /// The settings of `gateway`.
    pub gateway: GatewaySettings,
    /// Cancelled when the program is to stop.
    pub stop: CancellationToken,
    /// The processes that host the other contexts.
    pub others: Others,
}

/// The whole public surface: the contexts' APIs, the operators' (`ops`), and
/// what a platform asks for.
pub fn router(contexts: Vec<Front>, ops: OpenApiRouter, parts: &Parts) -> Router {
    let mut readiness = BTreeMap::new();
    let mut api = OpenApiRouter::default().merge(over_all_processes(ops, parts));
    for context in contexts {
        readiness.insert(context.name, context.health);
        api = api.merge(context.api);
    }
    let (router, operations) = api.split_for_parts();
    let readiness = Readiness {
        contexts: Arc::new(readiness),
        elsewhere: Some(elsewhere(&parts.others)),
        stop: parts.stop.clone(),
    };
    let router = router
        .merge(docs::docs(operations, &parts.others))
        .merge(forward::routes(&parts.others, parts.http.body_limit))
        .merge(keys::jwks(parts.users.clone()))
        .merge(health(readiness))
        .merge(metrics(parts.metrics.clone()))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(unknown::unknown);
    behind_the_door(router, parts, Visitors::Clients)
}

/// The operators' routes, asked of every process.
fn over_all_processes(ops: OpenApiRouter, parts: &Parts) -> OpenApiRouter {
    if parts.others.are_none() {
        return ops;
    }
    let all = Gather {
        others: parts.others.clone(),
        body_limit: parts.http.body_limit,
    };
    ops.layer(from_fn_with_state(all, gather::gather))
}

/// How the contexts of the other processes are, asked at each look.
fn elsewhere(others: &Others) -> Elsewhere {
    let others = others.clone();
    Arc::new(move || {
        let others = others.clone();
        Box::pin(async move {
            let standings = others.standings().await;
            let of_one = |stand: Stand| {
                let contexts = stand.process.contexts.clone();
                contexts.into_iter().map(move |context| Far {
                    context,
                    replica: stand.process.has_replicas().then_some(stand.number),
                    condition: stand.condition(context),
                })
            };
            standings.into_iter().flat_map(of_one).collect()
        })
    })
}

/// The public routes of this process's contexts, for gateways elsewhere: all of
/// it again but for what the front has done for good, which is to count clients
/// and to compress.
pub fn behind_inner_door(router: Router, parts: &Parts) -> Router {
    let mut parts = parts.clone();
    parts.gateway.rate_limit.enabled = false;
    parts.gateway.compress_from = u64::MAX;
    let router = router
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(unknown::unknown);
    behind_the_door(router, &parts, Visitors::Gateways)
}

/// One layer of layers: the router boxes what it is given, once for each.
fn behind_the_door(router: Router, parts: &Parts, visitors: Visitors) -> Router {
    let door = Arc::new(Door {
        clock: parts.clock.clone(),
        rate_limit: RateLimit::new(&parts.gateway),
        body_limit: parts.http.body_limit,
        time_limit: parts.http.time_limit,
        audit_limit: parts.http.audit_limit,
        visitors,
        stop: parts.stop.clone(),
    });
    let ids = parts.ids.clone();
    let worth_it = SizeAbove::new(parts.gateway.compress_from)
        .and(NotForContentType::SSE)
        .and(NotForContentType::IMAGES);
    router.layer(
        ServiceBuilder::new()
            .layer(from_fn(move |request, next| {
                correlate(ids.clone(), request, next)
            }))
            .layer(CompressionLayer::new().compress_when(worth_it))
            .layer(Authenticate::new(parts.verifier.clone()))
            .layer(from_fn_with_state(door, door::pass))
            .layer(from_fn(conditional)),
    )
}
