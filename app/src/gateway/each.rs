//! What every replica of a process is to do by itself. One of them judges the
//! request, and its answer is the one that is shown; where it agrees, each is told.
//! A replica that did not do it is named beside the answer (`unanswered`).

use axum::body::{Body, to_bytes};
use axum::response::Response;
use futures::future::join_all;
use http::header::CONTENT_LENGTH;
use http::{HeaderName, StatusCode};
use serde_json::{Map, Value, json};

use super::gather::{Asked, PAGE_LIMIT};
use super::others::{PATIENCE, Process};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The answer of the replicas; none where none of them answers.
pub(super) async fn told(process: &Process, asked: &Asked) -> Option<Response> {
    let judged = judged(process, asked).await?;
    if judged.status() != StatusCode::OK {
        return Some(judged);
    }
    // Replicas share what is kept under a key: with it, the others would repeat the
    // answer and do nothing.
    let mut keyless = asked.clone();
    keyless.parts.headers.remove(IDEMPOTENCY_KEY);
    let tell = async |base| {
        let answer = at(process, base, &keyless).await;
        answer.is_some_and(|answer| answer.status() == StatusCode::OK)
    };
    let done = join_all(process.base.split(',').map(tell)).await;
    let silent = (1..).zip(done).filter(|(_, done)| !done);
    let silent: Vec<usize> = silent.map(|(number, _)| number).collect();
    beside(judged, process, &silent).await
}

/// What the first that answers makes of it.
async fn judged(process: &Process, asked: &Asked) -> Option<Response> {
    for base in process.base.split(',') {
        if let Some(answer) = at(process, base, asked).await {
            return Some(answer);
        }
    }
    None
}

/// Not waited for as long as the request may take: who hangs must not keep the others
/// from being told.
async fn at(process: &Process, base: &str, asked: &Asked) -> Option<Response> {
    let answer = process.ask_at(base, asked.request());
    tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
}

/// The answer, and who is to be told again.
async fn beside(answer: Response, process: &Process, silent: &[usize]) -> Option<Response> {
    if silent.is_empty() {
        return Some(answer);
    }
    let (mut head, body) = answer.into_parts();
    let body = to_bytes(body, PAGE_LIMIT).await.ok()?;
    let mut body: Map<String, Value> = serde_json::from_slice(&body).ok()?;
    let name = |number| move |context| format!("{context}, replica {number}");
    let names = silent
        .iter()
        .flat_map(|number| process.contexts.iter().map(name(number)));
    body.insert(
        "unanswered".to_owned(),
        json!(names.collect::<Vec<String>>()),
    );
    head.headers.remove(CONTENT_LENGTH);
    let body = serde_json::to_vec(&body).ok()?;
    Some(Response::from_parts(head, Body::from(body)))
}
