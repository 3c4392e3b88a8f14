//! Dead letters, as operators see them, have them handled again, or give them up.

use axum::Json;
use axum::extract::State;
use cleave_messaging::{DeadLetter, HandlerGone};
use cleave_store::UnitError;
use cleave_vocabulary::Timestamp;
use cleave_web::{Admin, Answer, Cursor, NoBody, Once, Page, Paging, PathName, Problem, Scope};
use http::StatusCode;
use serde::Serialize;

use super::Ops;
use super::keyed::keyed;

/// An event that a handler gave up on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeadLetter)]
pub(super) struct LetterBody {
    id: String,
    /// The handler that gave up.
    handler: String,
    event_type: String,
    event_id: String,
    /// The key that is parked behind it: the aggregate's id.
    subject: String,
    /// The last error.
    error: String,
    attempts: u32,
    /// How many later events of the key wait behind it.
    waiting: u64,
    /// When the handler gave up.
    failed_at: Timestamp,
}

impl From<DeadLetter> for LetterBody {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            handler: letter.handler,
            event_type: letter.event_type,
            event_id: letter.event_id,
            subject: letter.subject,
            error: letter.error,
            attempts: letter.attempts,
            waiting: letter.waiting,
            failed_at: letter.at,
        }
    }
}

impl LetterBody {
    /// The order that the contexts' lists are in, each and merged.
    fn place(&self) -> (&str, &str) {
        let rest = self.id.strip_suffix(&self.event_id);
        (&self.event_id, rest.unwrap_or(&self.id))
    }
}

/// Lists dead letters, newest event first.
#[utoipa::path(
    get,
    path = "/api/v1/ops/dead-letters",
    tag = "ops",
    operation_id = "list_dead_letters",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 100), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Page<LetterBody>)),
    security(("bearer" = []))
)]
pub(super) async fn list_dead_letters(
    State(ops): State<Ops>,
    _: Admin,
    paging: Paging,
) -> Result<Json<Page<LetterBody>>, Problem> {
    let before: Option<String> = paging.cursor.as_ref().map(Cursor::decode).transpose()?;
    let mut found: Vec<LetterBody> = Vec::new();
    for letters in &ops.dead_letters {
        let page = letters.list(before.clone(), paging.limit + 1).await;
        found.extend(
            page.map_err(Problem::from)?
                .into_iter()
                .map(LetterBody::from),
        );
    }
    found.sort_by(|one, other| other.place().cmp(&one.place()));
    Ok(Json(Page::cut(found, &paging, |letter| letter.id.clone())))
}

/// Has a dead letter handled again, and after it what waits behind it, in order.
#[utoipa::path(
    post,
    path = "/api/v1/ops/dead-letters/{id}/redrive",
    tag = "ops",
    operation_id = "redrive_dead_letter",
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 202, description = "It will be handled again."),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`handler_gone`"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn redrive_dead_letter(
    State(ops): State<Ops>,
    _: Admin,
    PathName(id): PathName,
    scope: Scope,
    NoBody { digest }: NoBody,
) -> Result<Once, Problem> {
    let act = async {
        for letters in &ops.dead_letters {
            if letters.redrive(&id).await.map_err(refused)? {
                return Ok(Answer::empty(StatusCode::ACCEPTED));
            }
        }
        Err(Problem::not_found())
    };
    keyed(ops.idempotency.as_ref(), &scope, digest, act).await
}

fn refused(error: UnitError<HandlerGone>) -> Problem {
    match error {
        UnitError::Refused(gone) => Problem::conflict("handler_gone", gone.to_string()),
        UnitError::Failed(error) => error.into(),
    }
}

/// Gives a dead letter up for good; what waits behind it goes on.
#[utoipa::path(
    delete,
    path = "/api/v1/ops/dead-letters/{id}",
    tag = "ops",
    operation_id = "discard_dead_letter",
    params(("id" = String, Path)),
    responses(
        (status = 204, description = "Given up."),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn discard_dead_letter(
    State(ops): State<Ops>,
    _: Admin,
    PathName(id): PathName,
) -> Result<StatusCode, Problem> {
    for letters in &ops.dead_letters {
        if letters.discard(&id).await.map_err(Problem::from)? {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(Problem::not_found())
}
