//! Breakers, which each process has for itself. To operators those of one name are
//! one: it is moved in every process that has it, and shown as all of them together
//! see it. One process judges the request, and its answer is the one that is shown.
//! Who did not answer is named beside it (`unanswered`).

use axum::body::{Body, to_bytes};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cleave_web::Problem;
use futures::future::join_all;
use http::header::CONTENT_LENGTH;
use http::{HeaderName, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::gather::{Asked, PAGE_LIMIT, Page, nobody_knows, page};
use super::others::{Others, PATIENCE, Peer};
use crate::internal::is_oneself;
use crate::topology::CONTEXTS;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Whether an operator moves a breaker.
pub(super) fn moves_a_breaker(method: &Method, route: Option<&str>) -> bool {
    method == Method::POST && route == Some("/api/v1/ops/breakers/{name}")
}

/// The context whose processes have this breaker: a guard is named after who calls.
/// None where that is no context, and any process may have it.
fn context_of(asked: &Asked) -> Option<&'static str> {
    let name = asked.parts.uri.path().rsplit('/').next()?;
    let caller = name.split('.').next()?;
    CONTEXTS.into_iter().find(|context| *context == caller)
}

/// Has a breaker moved wherever it is; `own` is what this process makes of it.
pub(super) async fn moved(others: &Others, asked: &Asked, own: Response, next: Next) -> Response {
    let context = context_of(asked);
    let peers = others.peers(context);
    let is_here = own.status() == StatusCode::OK;
    let judged = if is_here {
        own
    } else {
        match judged(&peers, asked).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return own,
            Err(silent) => return nobody_knows(&silent),
        }
    };
    let is_elsewhere = peers.len() + usize::from(is_here) > 1;
    if judged.status() != StatusCode::OK || !is_elsewhere {
        return judged;
    }
    // Replicas share what is kept under a key: with it, the others would repeat the
    // answer and do nothing, and so may have done the one that judged.
    let mut keyless = asked.clone();
    let key = keyless.parts.headers.remove(IDEMPOTENCY_KEY);
    if is_here && key.is_some() {
        next.run(keyless.request()).await;
    }
    let tell = async |peer: &Peer| match at(peer, &keyless).await {
        Some(answer) => {
            let has_none = answer.status() == StatusCode::NOT_FOUND && context.is_none();
            answer.status() == StatusCode::OK || has_none || is_oneself(answer.status())
        }
        None => false,
    };
    let done = join_all(peers.iter().map(tell)).await;
    let silent = peers.iter().zip(done).filter(|(_, done)| !done);
    let silent = silent.flat_map(|(peer, _)| peer.names.clone());
    beside(judged, silent.collect()).await
}

/// What the first that knows it makes of it; where nobody does, those who may and did
/// not answer.
async fn judged(peers: &[Peer], asked: &Asked) -> Result<Option<Response>, Vec<String>> {
    let mut silent = Vec::new();
    for peer in peers {
        match at(peer, asked).await {
            Some(answer) if is_oneself(answer.status()) => {}
            Some(answer) if answer.status() == StatusCode::NOT_FOUND => {}
            Some(answer) => return Ok(Some(answer)),
            None => silent.extend_from_slice(&peer.names),
        }
    }
    if silent.is_empty() {
        Ok(None)
    } else {
        Err(silent)
    }
}

/// Not waited for as long as the request may take: who hangs must not keep the others
/// from being told.
async fn at(peer: &Peer, asked: &Asked) -> Option<Response> {
    let answer = peer.process.ask_at(&peer.base, asked.request());
    tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
}

/// The answer, and who is to be told again.
async fn beside(answer: Response, silent: Vec<String>) -> Response {
    if silent.is_empty() {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let told = async {
        let body = to_bytes(body, PAGE_LIMIT).await.ok()?;
        let mut body: Map<String, Value> = serde_json::from_slice(&body).ok()?;
        body.insert("unanswered".to_owned(), json!(silent));
        serde_json::to_vec(&body).ok()
    };
    let Some(body) = told.await else {
        return Problem::internal(&"an answer about a breaker can't be read").into_response();
    };
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(body))
}

/// Adds what the other processes tell of theirs.
pub(super) async fn listed(others: &Others, asked: &Asked, whole: &mut Page) {
    let ask = async |peer: Peer| {
        let told = async {
            let answer = peer.process.ask_at(&peer.base, asked.request());
            match answer.await.ok()? {
                answer if is_oneself(answer.status()) => Some(Page::default()),
                answer if answer.status() == StatusCode::OK => page(answer).await,
                _ => None,
            }
        };
        let told = tokio::time::timeout(PATIENCE, told).await;
        (peer.names, told.ok().flatten())
    };
    for (names, answer) in join_all(others.peers(None).into_iter().map(ask)).await {
        match answer {
            Some(page) => whole.items.extend(page.items),
            None => whole.unanswered.extend(names),
        }
    }
}
