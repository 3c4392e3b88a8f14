//! Circuit breakers, as operators see and hold them. They are this process's own: what
//! other processes have under the same names, its front adds, and moves along.

use axum::Json;
use axum::extract::State;
use cleave_resilience::{BreakerControl, BreakerState, GuardReport};
use cleave_web::{Admin, Answer, Body, Once, Page, PathName, Problem, Scope};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use validator::Validate;

use super::Ops;
use super::keyed::keyed;

/// Where a breaker stands.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BreakerState)]
pub(super) enum Standing {
    Closed,
    Open,
    HalfOpen,
    ForcedOpen,
}

impl Standing {
    /// The higher, the fewer calls pass.
    fn gravity(&self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
            Self::ForcedOpen => 3,
        }
    }
}

/// A breaker, and what its guard has seen.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Breaker)]
pub(super) struct BreakerBody {
    /// `order.payment`: who calls what.
    name: String,
    state: Standing,
    /// Calls let through since the start, each repeat counted.
    calls: u64,
    failures: u64,
    /// Answers that said no; they count against nobody.
    refusals: u64,
    slow: u64,
    /// Attempts that were repeats.
    retries: u64,
    /// Calls not let through: breaker open, or bulkhead full.
    rejected: u64,
    /// Calls under way.
    in_flight: usize,
}

impl BreakerBody {
    /// Together with the same one of another process: what both have seen, and the
    /// graver state.
    fn with(self, other: Self) -> Self {
        let is_graver = other.state.gravity() > self.state.gravity();
        Self {
            name: self.name,
            state: if is_graver { other.state } else { self.state },
            calls: self.calls + other.calls,
            failures: self.failures + other.failures,
            refusals: self.refusals + other.refusals,
            slow: self.slow + other.slow,
            retries: self.retries + other.retries,
            rejected: self.rejected + other.rejected,
            in_flight: self.in_flight + other.in_flight,
        }
    }
}

/// A breaker as two processes tell of it; none where one of them can't be read.
pub(crate) fn joined(one: &RawValue, other: &RawValue) -> Option<Box<RawValue>> {
    let read = |text: &RawValue| serde_json::from_str::<BreakerBody>(text.get()).ok();
    to_raw_value(&read(one)?.with(read(other)?)).ok()
}

impl From<GuardReport> for BreakerBody {
    fn from(report: GuardReport) -> Self {
        Self {
            name: report.name,
            state: match report.state {
                BreakerState::Closed => Standing::Closed,
                BreakerState::Open => Standing::Open,
                BreakerState::HalfOpen => Standing::HalfOpen,
                BreakerState::ForcedOpen => Standing::ForcedOpen,
            },
            calls: report.calls,
            failures: report.failures,
            refusals: report.refusals,
            slow: report.slow,
            retries: report.retries,
            rejected: report.rejected,
            in_flight: report.in_flight,
        }
    }
}

/// What a breaker is to do.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BreakerControl)]
pub(super) enum Control {
    /// Close, and forget the calls it judged by.
    Closed,
    /// Stay open until told otherwise.
    ForcedOpen,
    /// Judge by itself again.
    Auto,
}

/// Moves a breaker.
#[derive(Debug, Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetBreaker {
    state: Control,
}

/// Lists the circuit breakers of this process.
#[utoipa::path(
    get,
    path = "/api/v1/ops/breakers",
    tag = "ops",
    operation_id = "list_breakers",
    responses((status = 200, body = Page<BreakerBody>)),
    security(("bearer" = []))
)]
pub(super) async fn list_breakers(State(ops): State<Ops>, _: Admin) -> Json<Page<BreakerBody>> {
    let reports = ops.guards.iter().map(|guard| guard.report().into());
    let mut items: Vec<BreakerBody> = reports.collect();
    items.sort_by(|one, other| one.name.cmp(&other.name));
    Json(Page {
        items,
        next_cursor: None,
    })
}

/// Holds a circuit breaker open, closes it, or lets it judge by itself.
#[utoipa::path(
    post,
    path = "/api/v1/ops/breakers/{name}",
    tag = "ops",
    operation_id = "set_breaker",
    params(("name" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = SetBreaker,
    responses(
        (status = 200, body = BreakerBody),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn set_breaker(
    State(ops): State<Ops>,
    _: Admin,
    PathName(name): PathName,
    scope: Scope,
    body: Body<SetBreaker>,
) -> Result<Once, Problem> {
    let control = match body.value.state {
        Control::Closed => BreakerControl::Closed,
        Control::ForcedOpen => BreakerControl::ForcedOpen,
        Control::Auto => BreakerControl::Auto,
    };
    let act = async {
        let mut guards = ops.guards.iter();
        let guard = guards.find(|guard| guard.report().name == name);
        let guard = guard.ok_or_else(Problem::not_found)?;
        guard.control(control);
        tracing::info!(
            breaker = name,
            ?control,
            "an operator moved a circuit breaker"
        );
        let body = BreakerBody::from(guard.report());
        Ok(Answer::json(StatusCode::OK, &body))
    };
    keyed(ops.idempotency.as_ref(), &scope, body.digest, act).await
}
