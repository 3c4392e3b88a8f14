//! The conventions as a client meets them, over a small router.

use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use cleave_vocabulary::{IdSource, OrderId, SequentialIds};
use cleave_web::{
    Body, Call, IfMatch, Page, Paging, PathId, Problem, Tagged, Version, conditional, correlate,
    method_not_allowed, not_found,
};
use http::{Method, StatusCode, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;
use validator::Validate;

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Rename {
    #[validate(length(min = 1, max = 10))]
    name: String,
}

fn app() -> Router {
    let ids: Arc<dyn IdSource> = Arc::new(SequentialIds::default());
    Router::new()
        .route(
            "/things/{id}",
            get(
                async |PathId(id): PathId<cleave_vocabulary::id::kind::Order>| {
                    Tagged(Version(7), json!({"id": id}))
                },
            )
            .patch(async |matches: IfMatch, body: Body<Rename>| {
                matches.check(Version(7))?;
                Ok::<_, Problem>(Json(json!({"name": body.value.name})))
            }),
        )
        .route(
            "/things",
            get(async |paging: Paging| {
                let items: Vec<u64> = (0..=paging.limit).collect();
                Json(Page::cut(items, &paging, |item| *item))
            }),
        )
        .route(
            "/optional",
            post(async |body: Option<Body<Rename>>| Json(json!({"body": body.is_some()}))),
        )
        .route(
            "/call",
            get(async |Call(call): Call| {
                Json(json!({
                    "correlation": call.correlation,
                    "trace": call.trace,
                }))
            }),
        )
        .route(
            "/broken",
            get(async || Problem::internal(&"the disk is on fire")),
        )
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(conditional))
        .layer(from_fn(move |request, next| {
            correlate(ids.clone(), request, next)
        }))
}

async fn send(request: http::request::Builder, body: &str) -> Response {
    let request: Request = request
        .body(HttpBody::from(body.to_owned()))
        .expect("a request");
    app().oneshot(request).await.expect("infallible")
}

async fn read(response: Response) -> Value {
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    serde_json::from_slice(&bytes).expect("JSON")
}

fn thing() -> String {
    let id: OrderId = "ord_01h455vb4pex5vsknk084sn02q".parse().expect("an id");
    format!("/things/{id}")
}

#[tokio::test]
async fn the_correlation_id_is_taken_made_and_echoed() {
    let request = Request::get("/call").header("x-correlation-id", "mine-1");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let response = send(request.header("traceparent", trace), "").await;
    assert_eq!(response.headers()["x-correlation-id"], "mine-1");
    assert_eq!(
        read(response).await,
        json!({"correlation": "mine-1", "trace": trace})
    );
    for bad in [&"x".repeat(129), "a b", ""] {
        let request = Request::get("/call").header("x-correlation-id", bad);
        let response = send(request.header("traceparent", "nonsense"), "").await;
        let made = response.headers()["x-correlation-id"]
            .to_str()
            .expect("text");
        assert_eq!(made.len(), 32, "{bad}");
        let made = made.to_owned();
        let shown = read(response).await;
        assert_eq!(shown["correlation"], made);
        assert_eq!(shown["trace"].as_str().expect("made").len(), trace.len());
    }
}

#[tokio::test]
async fn every_error_is_a_problem_with_the_correlation_id() {
    let cases = [
        (Method::GET, "/nowhere", 404, "not_found"),
        (Method::GET, "/things/nonsense", 404, "not_found"),
        (Method::DELETE, "/things", 405, "method_not_allowed"),
        (Method::GET, "/things?limit=0", 422, "validation_failed"),
        (Method::GET, "/broken", 500, "internal_error"),
        (Method::PATCH, "/things/x", 428, "precondition_required"),
        (Method::POST, "/optional", 200, ""),
    ];
    for (method, uri, status, code) in cases {
        let request = Request::builder().method(method).uri(uri);
        let response = send(request.header("x-correlation-id", "mine"), "").await;
        assert_eq!(response.status(), status, "{uri}");
        if code.is_empty() {
            continue;
        }
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert!(status != 405 || response.headers()[header::ALLOW] == "GET,HEAD");
        let problem = read(response).await;
        assert_eq!(problem["code"], code);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["correlation_id"], "mine");
        assert_eq!(problem["type"], format!("urn:cleave:problem:{code}"));
        assert!(!problem.to_string().contains("fire"));
    }
}

#[tokio::test]
async fn a_body_is_json_of_a_bounded_size() {
    let patch = |kind: &str| {
        let request = Request::patch(thing()).header("if-match", "\"7\"");
        request.header("content-type", kind)
    };
    let good = r#"{"name":"x"}"#;
    let cases = [
        (patch("application/json"), good.to_owned(), 200),
        (patch("text/plain"), good.to_owned(), 415),
        (patch("application/json"), "{".to_owned(), 400),
        (patch("application/json"), r#"{"name":""}"#.to_owned(), 422),
        (patch("application/json"), " ".repeat(3 << 20), 413),
    ];
    for (request, body, status) in cases {
        let response = send(request, &body).await;
        assert_eq!(response.status(), status);
        let shown = read(response).await;
        assert!(status == 200 || shown["code"].is_string(), "{shown}");
    }
}

#[tokio::test]
async fn an_optional_body_may_be_left_out() {
    let none = send(Request::post("/optional"), "").await;
    assert_eq!(read(none).await, json!({"body": false}));
    let request = Request::post("/optional").header("content-type", "application/json");
    let some = send(request, r#"{"name":"x"}"#).await;
    assert_eq!(read(some).await, json!({"body": true}));
    let bad = Request::post("/optional").header("content-length", "3");
    assert_eq!(
        send(bad, "abc").await.status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let first = send(Request::get(thing()), "").await;
    assert_eq!(first.headers()[header::ETAG], "\"7\"");
    for known in ["\"7\"", "W/\"7\"", "\"3\", \"7\"", "*"] {
        let request = Request::get(thing()).header("if-none-match", known);
        let response = send(request, "").await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(response.headers()[header::ETAG], "\"7\"");
        let body = response.into_body().collect().await.expect("a body");
        assert!(body.to_bytes().is_empty());
    }
    for stale in ["\"6\"", "7", ""] {
        let request = Request::get(thing()).header("if-none-match", stale);
        assert_eq!(send(request, "").await.status(), StatusCode::OK, "{stale}");
    }
}

#[tokio::test]
async fn a_stale_version_changes_nothing() {
    let request = Request::patch(thing()).header("content-type", "application/json");
    let response = send(request.header("if-match", "\"6\""), r#"{"name":"x"}"#).await;
    assert_eq!(response.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(read(response).await["code"], "version_conflict");
}

#[tokio::test]
async fn a_page_says_where_to_go_on() {
    let page = read(send(Request::get("/things?limit=2"), "").await).await;
    assert_eq!(page["items"], json!([0, 1]));
    let cursor = page["next_cursor"].as_str().expect("there is more");
    let next = format!("/things?limit=2&cursor={cursor}");
    assert_eq!(send(Request::get(next), "").await.status(), StatusCode::OK);
}
