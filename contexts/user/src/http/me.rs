//! One's own account.

use axum::extract::State;
use cleave_web::{Body, Caller, IfMatch, Problem, Tagged, Version};

use super::App;
use super::bodies::UpdateMeBody;
use super::views::UserView;
use crate::application::{find_users, update_profile};
use crate::domain::ProfileChange;

/// Shows one's own account.
#[utoipa::path(
    get, path = "/api/v1/users/me", tag = "users", operation_id = "get_me",
    responses(
        (status = 200, description = "The account.", body = UserView, headers(("ETag" = String))),
        (status = 401, description = "`unauthorized`.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_me(
    State(app): State<App>,
    caller: Caller,
) -> Result<Tagged<UserView>, Problem> {
    let user = find_users::find(&app.services.store, caller.user).await?;
    let user = user.ok_or_else(Problem::not_found)?;
    Ok(Tagged(Version(user.version), user.into()))
}

/// Changes one's own account.
#[utoipa::path(
    patch, path = "/api/v1/users/me", tag = "users", operation_id = "update_me",
    params(("If-Match" = String, Header, description = "The `ETag` of the account as it was read.")),
    request_body = UpdateMeBody,
    responses(
        (status = 200, description = "The account as it is now.", body = UserView, headers(("ETag" = String))),
        (status = 412, description = "`version_conflict`: it has changed since.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`.", body = Problem, content_type = "application/problem+json"),
        (status = 428, description = "`precondition_required`: `If-Match` is missing.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn update_me(
    State(app): State<App>,
    caller: Caller,
    if_match: IfMatch,
    body: Body<UpdateMeBody>,
) -> Result<Tagged<UserView>, Problem> {
    let change = ProfileChange::from(body.value);
    let services = app.services.clone();
    let updated = app.services.store.write(async move |tx| {
        let expects = |version| if_match.check(Version(version)).is_ok();
        update_profile::update_profile(tx, &services, caller.user, expects, &change).await
    });
    let user = updated.await?;
    Ok(Tagged(Version(user.version), user.into()))
}
