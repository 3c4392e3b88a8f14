//! Moving shipments by hand, for admins.

use axum::extract::State;
use axum::http::StatusCode;
use cleave_vocabulary::ShipmentId;
use cleave_vocabulary::id::kind;
use cleave_web::{Admin, Answer, Call, NoBody, Once, PathId, Problem, Scope, Version};

use super::Api;
use super::dto::ShipmentBody;
use crate::domain::Shipment;

/// Says that the carrier has picked a shipment up.
#[utoipa::path(
    post,
    path = "/api/v1/shipments/{id}/dispatch",
    tag = "shipments",
    operation_id = "dispatch_shipment",
    params(("id" = ShipmentId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, body = ShipmentBody, headers(("ETag" = String))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`invalid_transition`"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn dispatch_shipment(
    State(api): State<Api>,
    _: Admin,
    PathId(id): PathId<kind::Shipment>,
    Call(call): Call,
    scope: Scope,
    NoBody { digest }: NoBody,
) -> Result<Once, Problem> {
    let shipping = api.shipping;
    api.idempotency
        .once(&scope, digest, async move |tx| {
            Ok(answer(shipping.dispatch(tx, &call, id).await?))
        })
        .await
}

/// Says that a shipment has arrived.
#[utoipa::path(
    post,
    path = "/api/v1/shipments/{id}/deliver",
    tag = "shipments",
    operation_id = "deliver_shipment",
    params(("id" = ShipmentId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, body = ShipmentBody, headers(("ETag" = String))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`invalid_transition`"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn deliver_shipment(
    State(api): State<Api>,
    _: Admin,
    PathId(id): PathId<kind::Shipment>,
    Call(call): Call,
    scope: Scope,
    NoBody { digest }: NoBody,
) -> Result<Once, Problem> {
    let shipping = api.shipping;
    api.idempotency
        .once(&scope, digest, async move |tx| {
            Ok(answer(shipping.deliver(tx, &call, id).await?))
        })
        .await
}

fn answer(shipment: Shipment) -> Answer {
    let version = Version(shipment.version);
    Answer::json(StatusCode::OK, &ShipmentBody::from(shipment)).tagged(version)
}
