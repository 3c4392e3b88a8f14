//! What the gateway does to every request, over a small context.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use cleave::gateway::RateLimitSettings;
use cleave::host::Condition;
use cleave_vocabulary::{Clock, IdSource, SystemClock, UserId, UuidV7Ids};
use cleave_web::{Call, Caller, Role, Tagged, Version};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::door::{Door, token};

fn routes() -> Router {
    Router::new()
        .route("/api/v1/orders", get(async || Json(json!({"items": []}))))
        .route(
            "/api/v1/orders/one",
            get(async || Tagged(Version(3), json!({"id": 1}))),
        )
        .route(
            "/api/v1/orders/me",
            get(async |caller: Caller| Json(json!({"user": caller.user}))),
        )
        .route(
            "/api/v1/orders/body",
            post(async |body: Bytes| Json(json!(body.len()))),
        )
        .route("/api/v1/orders/large", get(async || "x".repeat(5000)))
        .route("/api/v1/orders/panic", get(panics))
        .route("/api/v1/orders/never", get(never))
        .route("/api/v1/orders/deadline", get(deadline))
        .route("/api/v1/ops/audit", post(deadline))
        .route("/api/v1/users/sessions", post(async || StatusCode::CREATED))
}

async fn panics() -> StatusCode {
    panic!("the secret of the handler");
}

async fn never() -> StatusCode {
    std::future::pending().await
}

/// The seconds that are left to the call.
async fn deadline(Call(call): Call) -> Json<u64> {
    let deadline = call.deadline.expect("a deadline");
    Json(deadline.since(SystemClock.now()).as_secs())
}

fn request(method: &str, uri: &str) -> http::request::Builder {
    Request::builder().method(method).uri(uri)
}

async fn ask(router: &Router, request: http::request::Builder) -> Response {
    let request = request.body(Body::empty()).expect("a request");
    router.clone().oneshot(request).await.expect("infallible")
}

async fn told(router: &Router, request: http::request::Builder) -> (StatusCode, HeaderMap, Value) {
    let (parts, body) = ask(router, request).await.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    let json = serde_json::from_slice(&bytes).unwrap_or_default();
    (parts.status, parts.headers, json)
}

fn count(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("not zero")
}

#[tokio::test]
async fn an_unknown_address_says_what_is_unknown() {
    let router = Door::new().open(routes()).await;
    let cases = [
        ("GET", "/api/v1/nonsense", 404, "unknown_service"),
        ("POST", "/api/v1/nonsense/x", 404, "unknown_service"),
        ("GET", "/api/v1/payments/x/y", 404, "not_found"),
        ("GET", "/api/v1/", 404, "not_found"),
        ("GET", "/api/v2/orders", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("PUT", "/api/v1/orders", 405, "method_not_allowed"),
        ("DELETE", "/health/live", 405, "method_not_allowed"),
    ];
    for (method, uri, status, code) in cases {
        let asked = request(method, uri).header("x-correlation-id", "mine");
        let (told, headers, problem) = told(&router, asked).await;
        assert_eq!(
            (told.as_u16(), &problem["code"]),
            (status, &json!(code)),
            "{uri}"
        );
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(problem["correlation_id"], "mine");
        assert!(status != 405 || headers[header::ALLOW] == "GET,HEAD");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let router = Door::new().open(routes()).await;
    for uri in ["/api/v1/orders", "/nowhere", "/health/live", "/docs/"] {
        let (_, headers, _) = told(&router, request("GET", uri)).await;
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        let policy = headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .expect("text");
        assert!(policy.starts_with("default-src 'none'"), "{uri}: {policy}");
    }
    let (_, headers, _) = told(&router, request("GET", "/api/v1/orders")).await;
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    let (_, headers, _) = told(&router, request("GET", "/api/v1/orders/one")).await;
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-cache");
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    let router = Door::new().open(routes()).await;
    let (status, _, problem) = told(&router, request("GET", "/api/v1/orders/panic")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(problem["code"], "internal_error");
    assert!(!problem.to_string().contains("secret"));
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_a_503() {
    let mut door = Door::new();
    door.http.time_limit = Duration::from_millis(20);
    let router = door.open(routes()).await;
    let (status, headers, problem) = told(&router, request("GET", "/api/v1/orders/never")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["code"], "service_unavailable");
    assert_eq!(headers[header::RETRY_AFTER], "1");
}

#[tokio::test]
async fn the_deadline_of_a_call_is_the_time_limit_and_the_preferred_wait() {
    let router = Door::new().open(routes()).await;
    let (_, _, left) = told(&router, request("GET", "/api/v1/orders/deadline")).await;
    assert!(
        (8..=10).contains(&left.as_u64().expect("seconds")),
        "{left}"
    );
    let waiting = request("GET", "/api/v1/orders/deadline").header("prefer", "wait=30");
    let (_, _, left) = told(&router, waiting).await;
    assert!(
        (38..=40).contains(&left.as_u64().expect("seconds")),
        "{left}"
    );
}

#[tokio::test]
async fn an_audit_has_a_time_limit_of_its_own() {
    let mut door = Door::new();
    door.http.time_limit = Duration::from_millis(20);
    let router = door.open(routes()).await;
    let (_, _, left) = told(&router, request("POST", "/api/v1/ops/audit")).await;
    assert!(
        (590..=600).contains(&left.as_u64().expect("seconds")),
        "{left}"
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let mut door = Door::new();
    door.http.body_limit = 1000;
    let router = door.open(routes()).await;
    let send = async |body: Body| {
        let request = request("POST", "/api/v1/orders/body").body(body);
        let request = request.expect("a request");
        let response = router.clone().oneshot(request).await.expect("infallible");
        response.status().as_u16()
    };
    assert_eq!(send(Body::from("x".repeat(1000))).await, 200);
    assert_eq!(send(Body::from("x".repeat(1001))).await, 413);
    let pieces =
        || futures::stream::iter((0..11).map(|_| Ok::<_, std::io::Error>("x".repeat(100))));
    assert_eq!(send(Body::from_stream(pieces())).await, 413);
    let announced = request("POST", "/api/v1/users/sessions").header("content-length", "1001");
    let (status, _, problem) = told(&router, announced).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (413, &json!("body_too_large"))
    );
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_can_read_them() {
    let router = Door::new().open(routes()).await;
    let gzip = |uri| request("GET", uri).header("accept-encoding", "gzip");
    let (_, headers, _) = told(&router, gzip("/api/v1/orders/large")).await;
    assert_eq!(headers[header::CONTENT_ENCODING], "gzip");
    let (_, headers, _) = told(&router, gzip("/api/v1/orders")).await;
    assert!(!headers.contains_key(header::CONTENT_ENCODING));
    let (_, headers, _) = told(&router, request("GET", "/api/v1/orders/large")).await;
    assert!(!headers.contains_key(header::CONTENT_ENCODING));
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let router = Door::new().open(routes()).await;
    let asked = request("GET", "/api/v1/orders/one").header("if-none-match", "\"3\"");
    let (status, headers, _) = told(&router, asked).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED);
    assert_eq!(headers[header::ETAG], "\"3\"");
}

#[tokio::test]
async fn tokens_are_verified_at_the_door() {
    let router = Door::new().open(routes()).await;
    let user: UserId = (&UuidV7Ids as &dyn IdSource).next();
    let good = format!("Bearer {}", token(user, Role::Customer));
    let asked = request("GET", "/api/v1/orders/me").header("authorization", good);
    assert_eq!(told(&router, asked).await.2, json!({"user": user}));
    let (status, headers, problem) = told(&router, request("GET", "/api/v1/orders/me")).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (401, &json!("unauthorized"))
    );
    assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer realm=\"cleave\"");
    let forged = request("GET", "/api/v1/orders/me").header("authorization", "Bearer a.b.c");
    let (status, headers, problem) = told(&router, forged).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (401, &json!("invalid_token"))
    );
    let challenge = headers[header::WWW_AUTHENTICATE].to_str().expect("text");
    assert!(challenge.contains("error=\"invalid_token\""));
}

#[tokio::test]
async fn each_client_has_a_rate_of_its_own_and_is_told_how_it_stands() {
    let mut door = Door::new();
    door.gateway.rate_limit = RateLimitSettings {
        enabled: true,
        requests_per_second: count(1),
        burst: count(2),
        sign_ins_per_second: count(1),
        sign_in_burst: count(1),
    };
    let router = door.open(routes()).await;
    let list = || request("GET", "/api/v1/orders");
    let (_, headers, _) = told(&router, list()).await;
    assert_eq!(headers["ratelimit-policy"], "\"default\";q=2;w=2");
    assert_eq!(headers["ratelimit"], "\"default\";r=1;t=1");
    assert!(told(&router, list()).await.0.is_success());
    let (status, headers, problem) = told(&router, list()).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (429, &json!("rate_limited"))
    );
    assert_eq!(headers[header::RETRY_AFTER], "1");
    assert_eq!(headers["ratelimit"], "\"default\";r=0;t=2");
    // Somebody who signed in is counted apart.
    let user: UserId = (&UuidV7Ids as &dyn IdSource).next();
    let bearer = format!("Bearer {}", token(user, Role::Customer));
    let signed_in = || list().header("authorization", &bearer);
    assert!(told(&router, signed_in()).await.0.is_success());
    // So are attempts to sign in, with a token or without.
    let sign_in = || request("POST", "/api/v1/users/sessions").header("authorization", &bearer);
    let (status, headers, _) = told(&router, sign_in()).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(headers["ratelimit-policy"], "\"sign-in\";q=1;w=1");
    assert_eq!(
        told(&router, sign_in()).await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert!(told(&router, signed_in()).await.0.is_success());
    // A probe is never turned away.
    for _ in 0..5 {
        let (status, headers, _) = told(&router, request("GET", "/health/live")).await;
        assert!(status.is_success() && !headers.contains_key("ratelimit"));
    }
}

#[tokio::test]
async fn readiness_tells_each_context_and_no_insides() {
    let router = Door::new().open(routes()).await;
    let (status, _, shown) = told(&router, request("GET", "/health/ready")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        shown,
        json!({"status": "ready", "contexts": {"order": {"status": "ready"}}})
    );
    let mut door = Door::new();
    door.health = Condition::Failing("/var/lib/secret is full".into());
    let stop = door.stop.clone();
    let router = door.open(routes()).await;
    let (status, _, shown) = told(&router, request("GET", "/health/ready")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        shown,
        json!({"status": "failing", "contexts": {"order": {"status": "failing"}}})
    );
    stop.cancel();
    let (_, _, shown) = told(&router, request("GET", "/health/ready")).await;
    assert_eq!(shown["status"], "stopping");
    let (status, _, _) = told(&router, request("GET", "/health/live")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn the_platform_finds_keys_metrics_document_and_docs() {
    let router = Door::new().open(routes()).await;
    let (_, headers, keys) = told(&router, request("GET", "/.well-known/jwks.json")).await;
    assert_eq!(headers[header::CONTENT_TYPE], "application/jwk-set+json");
    assert_eq!(keys["keys"][0]["crv"], "Ed25519");
    let metrics = ask(&router, request("GET", "/metrics")).await;
    let kind = metrics.headers()[header::CONTENT_TYPE]
        .to_str()
        .expect("text");
    assert!(kind.starts_with("text/plain; version=0.0.4"));
    let (_, _, document) = told(&router, request("GET", "/api/openapi.json")).await;
    assert!(
        document["openapi"]
            .as_str()
            .expect("a version")
            .starts_with("3.1")
    );
    let bearer = &document["components"]["securitySchemes"]["bearer"];
    assert_eq!(bearer["scheme"], "bearer");
    assert!(document["components"]["schemas"]["Problem"].is_object());
}

#[tokio::test]
async fn the_page_of_the_document_needs_no_network() {
    let router = Door::new().open(routes()).await;
    let text = async |uri: &str| {
        let response = ask(&router, request("GET", uri)).await;
        assert_eq!(response.status(), StatusCode::OK, "{uri}");
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let moved = ask(&router, request("GET", "/docs")).await;
    assert_eq!(moved.headers()[header::LOCATION], "/docs/");
    let page = text("/docs/").await;
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "{page}"
    );
    // The policy of the page forbids scripts that stand in it.
    for script in page.split("<script").skip(1) {
        assert!(script.trim_start().starts_with("src="), "{script}");
    }
    let initializer = text("/docs/swagger-initializer.js").await;
    assert!(initializer.contains("/api/openapi.json"), "{initializer}");
    for asset in [
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
    ] {
        assert!(text(&format!("/docs/{asset}")).await.len() > 10_000);
    }
}
