//! Reading shipments: one's own, or as an admin anybody's.

use axum::Json;
use axum::extract::State;
use cleave_vocabulary::ShipmentId;
use cleave_vocabulary::id::kind;
use cleave_web::{Caller, Cursor, Page, Paging, Params, PathId, Problem, Tagged, Version};

use super::Api;
use super::dto::{ListParams, ShipmentBody};
use crate::application::Wanted;

/// Shipments, newest first: one's own; for an admin all.
#[utoipa::path(
    get,
    path = "/api/v1/shipments",
    tag = "shipments",
    operation_id = "list_shipments",
    params(ListParams, ("limit" = Option<u32>, Query, minimum = 1, maximum = 100), ("cursor" = Option<String>, Query)),
    responses(
        (status = 200, body = Page<ShipmentBody>),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn list_shipments(
    State(api): State<Api>,
    caller: Caller,
    Params(params): Params<ListParams>,
    paging: Paging,
) -> Result<Json<Page<ShipmentBody>>, Problem> {
    let before: Option<ShipmentId> = paging.cursor.as_ref().map(Cursor::decode).transpose()?;
    let wanted = Wanted {
        owner: (!caller.is_admin()).then_some(caller.user),
        order: params.order_id,
        before,
        limit: paging.limit + 1,
    };
    let found = api.shipping.list(wanted).await?;
    let page = Page::cut(found, &paging, |shipment| shipment.id);
    Ok(Json(page.map(ShipmentBody::from)))
}

/// One shipment.
#[utoipa::path(
    get,
    path = "/api/v1/shipments/{id}",
    tag = "shipments",
    operation_id = "get_shipment",
    params(("id" = ShipmentId, Path)),
    responses(
        (status = 200, body = ShipmentBody, headers(("ETag" = String))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_shipment(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<kind::Shipment>,
) -> Result<Tagged<ShipmentBody>, Problem> {
    let found = api.shipping.find(id).await?;
    let shipment = found
        .filter(|shipment| caller.may_see(shipment.user_id))
        .ok_or_else(Problem::not_found)?;
    Ok(Tagged(Version(shipment.version), shipment.into()))
}
