//! Reading payments: one's own, or as an admin anybody's.

use axum::Json;
use axum::extract::State;
use cleave_vocabulary::PaymentId;
use cleave_vocabulary::id::kind;
use cleave_web::{Caller, Cursor, Page, Paging, Params, PathId, Problem, Tagged, Version};

use super::Api;
use super::dto::{ListParams, PaymentBody};
use crate::application::Wanted;

/// Payments, newest first: one's own; for an admin all.
#[utoipa::path(
    get,
    path = "/api/v1/payments",
    tag = "payments",
    operation_id = "list_payments",
    params(ListParams, ("limit" = Option<u32>, Query, minimum = 1, maximum = 100), ("cursor" = Option<String>, Query)),
    responses(
        (status = 200, body = Page<PaymentBody>),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn list_payments(
    State(api): State<Api>,
    caller: Caller,
    Params(params): Params<ListParams>,
    paging: Paging,
) -> Result<Json<Page<PaymentBody>>, Problem> {
    let before: Option<PaymentId> = paging.cursor.as_ref().map(Cursor::decode).transpose()?;
    let wanted = Wanted {
        owner: (!caller.is_admin()).then_some(caller.user),
        order: params.order_id,
        before,
        limit: paging.limit + 1,
    };
    let found = api.payments.list(wanted).await?;
    let page = Page::cut(found, &paging, |details| details.payment.id);
    Ok(Json(page.map(PaymentBody::from)))
}

/// One payment.
#[utoipa::path(
    get,
    path = "/api/v1/payments/{id}",
    tag = "payments",
    operation_id = "get_payment",
    params(("id" = PaymentId, Path)),
    responses(
        (status = 200, body = PaymentBody, headers(("ETag" = String))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_payment(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<kind::Payment>,
) -> Result<Tagged<PaymentBody>, Problem> {
    let found = api.payments.find(id).await?;
    let details = found
        .filter(|details| caller.may_see(details.payment.user_id))
        .ok_or_else(Problem::not_found)?;
    let version = Version(details.payment.version);
    Ok(Tagged(version, details.into()))
}
