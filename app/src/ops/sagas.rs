//! Sagas, as operators see and move them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cleave_hosting::{SagaAdmin, SagaAdminError};
use cleave_saga::{PhaseView, SagaFilter, SagaStatus, SagaView, StepView, Takeup};
use cleave_vocabulary::id::kind;
use cleave_vocabulary::{OrderId, SagaId, Timestamp};
use cleave_web::schema::one_of;
use cleave_web::{
    Admin, Answer, Cursor, NoBody, Once, Page, Paging, Params, PathId, Problem, Scope, Weighed,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::openapi::Schema;

use super::Ops;
use super::keyed::keyed;

/// How orders are fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentStyle {
    /// A saga in the order context calls the others.
    Orchestrated,
    /// Each context reacts to the events of the one before.
    Choreographed,
}

/// The sagas of one context.
pub struct SagaSource {
    /// Whose.
    pub context: &'static str,
    /// How they are driven.
    pub style: FulfilmentStyle,
    /// The way to them.
    pub admin: Arc<dyn SagaAdmin>,
}

/// Where a saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SagaStatus)]
pub(super) enum Status {
    Pending,
    Waiting,
    Completed,
    Compensating,
    Compensated,
    Stuck,
}

impl From<SagaStatus> for Status {
    fn from(status: SagaStatus) -> Self {
        match status {
            SagaStatus::Pending => Self::Pending,
            SagaStatus::Waiting => Self::Waiting,
            SagaStatus::Completed => Self::Completed,
            SagaStatus::Compensating => Self::Compensating,
            SagaStatus::Compensated => Self::Compensated,
            SagaStatus::Stuck => Self::Stuck,
        }
    }
}

impl From<Status> for SagaStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Waiting => Self::Waiting,
            Status::Completed => Self::Completed,
            Status::Compensating => Self::Compensating,
            Status::Compensated => Self::Compensated,
            Status::Stuck => Self::Stuck,
        }
    }
}

/// A saga.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Saga)]
pub(super) struct SagaBody {
    id: SagaId,
    /// The context that owns it.
    context: &'static str,
    /// `order_fulfilment`.
    kind: String,
    /// The version of its definition.
    version: u32,
    style: FulfilmentStyle,
    /// The order it is about.
    #[schema(value_type = Option<OrderId>, required)]
    order_id: Option<OrderId>,
    status: Status,
    steps: Vec<StepBody>,
    /// When it is looked at again, while it waits.
    #[schema(required)]
    next_attempt_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A step of a saga.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SagaStep)]
pub(super) struct StepBody {
    /// `reserve_inventory`.
    name: String,
    action: PhaseBody,
    /// Null until it has begun.
    #[schema(required)]
    compensation: Option<PhaseBody>,
}

/// An action, or its compensation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SagaPhase)]
pub(super) struct PhaseBody {
    #[schema(schema_with = phases)]
    status: &'static str,
    attempts: u32,
    #[schema(required)]
    started_at: Option<Timestamp>,
    #[schema(required)]
    finished_at: Option<Timestamp>,
    /// The last error.
    #[schema(required)]
    error: Option<String>,
}

/// The names that the engine gives to how far an action has come.
fn phases() -> Schema {
    one_of([
        "not_started",
        "started",
        "done",
        "refused",
        "failed",
        "unknown",
    ])
}

impl SagaSource {
    fn body(&self, view: SagaView) -> SagaBody {
        SagaBody {
            id: view.id,
            context: self.context,
            kind: view.kind,
            version: view.version,
            style: self.style,
            order_id: view.subject.parse().ok(),
            status: view.status.into(),
            steps: view.steps.into_iter().map(StepBody::from).collect(),
            next_attempt_at: view.next_attempt_at,
            created_at: view.created_at,
            updated_at: view.updated_at,
        }
    }
}

impl From<StepView> for StepBody {
    fn from(view: StepView) -> Self {
        Self {
            name: view.name,
            action: view.action.into(),
            compensation: view.compensation.map(PhaseBody::from),
        }
    }
}

impl From<PhaseView> for PhaseBody {
    fn from(view: PhaseView) -> Self {
        Self {
            status: view.status,
            attempts: view.attempts,
            started_at: view.started_at,
            finished_at: view.finished_at,
            error: view.error,
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SagaParams {
    /// Of this status only.
    #[param(inline)]
    status: Option<Status>,
    /// About this order only.
    order_id: Option<OrderId>,
}

/// Lists sagas, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/ops/sagas",
    tag = "ops",
    operation_id = "list_sagas",
    params(SagaParams, ("limit" = Option<u32>, Query, minimum = 1, maximum = 100), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Page<SagaBody>)),
    security(("bearer" = []))
)]
pub(super) async fn list_sagas(
    State(ops): State<Ops>,
    _: Admin,
    Params(params): Params<SagaParams>,
    paging: Paging,
) -> Result<Json<Page<SagaBody>>, Problem> {
    let before: Option<SagaId> = paging.cursor.as_ref().map(Cursor::decode).transpose()?;
    let mut found = Vec::new();
    for source in &ops.sagas {
        let filter = SagaFilter {
            status: params.status.map(SagaStatus::from),
            subject: params.order_id.map(|id| id.to_string()),
            before,
            limit: paging.limit + 1,
        };
        let views = source.admin.list(filter).await.map_err(problem)?;
        found.extend(views.into_iter().map(|view| source.body(view)));
    }
    found.sort_by_key(|saga| std::cmp::Reverse(saga.id));
    Ok(Json(Page::cut(found, &paging, |saga| saga.id)))
}

/// One saga.
#[utoipa::path(
    get,
    path = "/api/v1/ops/sagas/{id}",
    tag = "ops",
    operation_id = "get_saga",
    params(("id" = SagaId, Path)),
    responses(
        (status = 200, body = SagaBody, headers(("ETag" = String))),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_saga(
    State(ops): State<Ops>,
    _: Admin,
    PathId(id): PathId<kind::Saga>,
) -> Result<Weighed<SagaBody>, Problem> {
    for source in &ops.sagas {
        if let Some(view) = source.admin.find(id).await.map_err(problem)? {
            return Ok(Weighed(source.body(view)));
        }
    }
    Err(Problem::not_found())
}

/// Tries a stuck or waiting saga again, now.
#[utoipa::path(
    post,
    path = "/api/v1/ops/sagas/{id}/retry",
    tag = "ops",
    operation_id = "retry_saga",
    params(("id" = SagaId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, body = SagaBody),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`invalid_transition`"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn retry_saga(
    State(ops): State<Ops>,
    _: Admin,
    PathId(id): PathId<kind::Saga>,
    scope: Scope,
    NoBody { digest }: NoBody,
) -> Result<Once, Problem> {
    let act = take_up(&ops, id, Takeup::Retry);
    keyed(ops.idempotency.as_ref(), &scope, digest, act).await
}

/// Undoes what a stuck or waiting saga has done.
#[utoipa::path(
    post,
    path = "/api/v1/ops/sagas/{id}/compensate",
    tag = "ops",
    operation_id = "compensate_saga",
    params(("id" = SagaId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, body = SagaBody),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`invalid_transition`"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn compensate_saga(
    State(ops): State<Ops>,
    _: Admin,
    PathId(id): PathId<kind::Saga>,
    scope: Scope,
    NoBody { digest }: NoBody,
) -> Result<Once, Problem> {
    let act = take_up(&ops, id, Takeup::Compensate);
    keyed(ops.idempotency.as_ref(), &scope, digest, act).await
}

async fn take_up(ops: &Ops, id: SagaId, how: Takeup) -> Result<Answer, Problem> {
    for source in &ops.sagas {
        match source.admin.take_up(id, how).await {
            Err(SagaAdminError::Unknown) => {}
            Err(error) => return Err(problem(error)),
            Ok(view) => return Ok(Answer::json(StatusCode::OK, &source.body(view))),
        }
    }
    Err(Problem::not_found())
}

fn problem(error: SagaAdminError) -> Problem {
    match error {
        SagaAdminError::Unknown => Problem::not_found(),
        SagaAdminError::NotApplicable => Problem::conflict(
            "invalid_transition",
            "Only a saga that is stuck or waiting can be taken up, and none can be undone past its pivot.",
        ),
        SagaAdminError::Store(error) => error.into(),
    }
}
