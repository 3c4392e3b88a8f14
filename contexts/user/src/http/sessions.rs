//! Sessions: begun with a password, carried on with refresh tokens, ended.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::StatusCode;
use cleave_store::{Tx, Unit, UnitError};
use cleave_web::{Answer, Body, Caller, Once, Problem, Scope};

use super::App;
use super::bodies::{RefreshBody, SignInBody};
use super::views::SessionView;
use crate::application::{end_session, refresh_session, sign_in as signing_in};
use crate::credentials::digest;
use crate::domain::{Password, RefreshRefusal};

/// Signs in.
#[utoipa::path(
    post, path = "/api/v1/users/sessions", tag = "users", operation_id = "sign_in",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat.")),
    request_body = SignInBody,
    responses(
        (status = 201, description = "The session's tokens.", body = SessionView),
        (status = 401, description = "`invalid_credentials`.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn sign_in(
    State(app): State<App>,
    scope: Scope,
    body: Body<SignInBody>,
) -> Result<Once, Problem> {
    let SignInBody { email, password } = body.value;
    let password = Password::attempt(password);
    // The password is verified even where the outcome is recorded: a key that
    // somebody overheard shall not be worth a session.
    let verified = signing_in::verify(&app.services, &email, password).await?;
    let services = app.services.clone();
    app.idempotency
        .once(&scope, body.digest, async move |tx| -> Unit<Answer> {
            let pair = signing_in::open_session(tx, &services, &verified).await?;
            Ok(answer(&pair.into()))
        })
        .await
}

/// Exchanges a refresh token for a new pair. A token used twice ends its session.
#[utoipa::path(
    post, path = "/api/v1/users/sessions/refresh", tag = "users", operation_id = "refresh_session",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat.")),
    request_body = RefreshBody,
    responses(
        (status = 201, description = "The next pair of tokens.", body = SessionView),
        (status = 401, description = "`refresh_token_invalid`, `refresh_token_expired`, `refresh_token_revoked` or `refresh_token_reused`.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn refresh(
    State(app): State<App>,
    scope: Scope,
    body: Body<RefreshBody>,
) -> Result<Once, Problem> {
    let token = digest(&body.value.refresh_token);
    let services = app.services.clone();
    let family = Arc::new(OnceLock::new());
    let reused = family.clone();
    let outcome = app.idempotency.once(&scope, body.digest, async move |tx| {
        let pair = refresh_session::refresh(tx, &services, &token).await;
        if let Err(UnitError::Refused(RefreshRefusal::Reused {
            live: Some(session),
        })) = &pair
        {
            let _ = reused.set(*session);
        }
        Ok(answer(&pair?.into()))
    });
    let outcome = outcome.await;
    if let Some(session) = family.get().copied().filter(|_| !is_success(&outcome)) {
        // The refusal undid its own unit, so the family ends in one of its own,
        // before anybody hears of it.
        let services = app.services.clone();
        let unit = async move |tx: &Tx| refresh_session::end_family(tx, &services, session).await;
        app.services.store.write(unit).await?;
    }
    outcome
}

/// A request repeated under its key finds its token used up, by itself: it is
/// told its first outcome, and that is no reuse.
fn is_success(outcome: &Result<Once, Problem>) -> bool {
    matches!(outcome, Ok(Once::Fresh(answer) | Once::Replayed(answer)) if answer.status.is_success())
}

fn answer(session: &SessionView) -> Answer {
    Answer::json(StatusCode::CREATED, session).sealed()
}

/// Signs out: the session's refresh tokens are good for nothing from now on.
#[utoipa::path(
    delete, path = "/api/v1/users/sessions", tag = "users", operation_id = "sign_out",
    responses(
        (status = 204, description = "The session is over."),
        (status = 401, description = "`unauthorized`.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn sign_out(
    State(app): State<App>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    if let Ok(session) = caller.session.parse() {
        end_session::end_session(&app.services, session).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
