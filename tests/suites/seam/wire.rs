//! What goes wrong on the wire, and what the wire itself looks like.

use std::net::SocketAddr;

use cleave_tests::schema::answers;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;

/// Sends a request as any program could write it. Whatever comes back is as the
/// document of the port has it.
async fn post(url: &str, path: &str, deadline: Option<&str>, body: String) -> (StatusCode, Value) {
    let path = format!("/internal/v1/{path}");
    let mut request = reqwest::Client::new()
        .post(format!("{url}{path}"))
        .header("x-correlation-id", "c-1")
        .body(body);
    if let Some(deadline) = deadline {
        request = request.header("cleave-deadline-ms", deadline);
    }
    let response = request.send().await.expect("answered");
    let (status, kind) = (
        response.status(),
        response.headers()["content-type"].clone(),
    );
    let answer: Value = response.json().await.expect("json");
    let document = json!(cleave_seam::document([&desk::PORT]));
    if let Some(item) = document["paths"].get(&path) {
        let kind = kind.to_str().expect("ascii");
        let told = answers(&document, &item["post"], status.as_str(), kind, &answer);
        assert_eq!(told, Ok(()), "{path}: {status} {answer}");
    }
    (status, answer)
}

#[tokio::test]
async fn unknown_members_are_passed_over() {
    let seam = local();
    let url = serve(routes(seam.port, seam.clock)).await;
    let body = json!({"key": "k", "turn": "answer", "weight": {"grams": 5}});
    let answer = post(&url, "desk/stamp", None, body.to_string()).await;
    assert_eq!(answer, (StatusCode::OK, json!({"number": 1})));
}

#[tokio::test]
async fn errors_have_a_status_and_say_in_the_body_what_they_are() {
    let seam = local();
    let url = serve(routes(seam.port.clone(), seam.clock.clone())).await;
    let ask = |turn: Value| json!({"key": "k", "turn": turn}).to_string();
    let refusal = json!({"code": "no_ink", "message": "No ink."});
    let failure = |kind: &str, unknown: bool| json!({"failed": {"kind": kind, "message": "m", "outcome_unknown": unknown}});
    let refused = post(&url, "desk/stamp", None, ask(json!({"refuse": refusal}))).await;
    assert_eq!(refused, (StatusCode::CONFLICT, json!({"refused": refusal})));
    for (kind, status) in [
        ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
        ("overloaded", StatusCode::SERVICE_UNAVAILABLE),
        ("breaker_open", StatusCode::SERVICE_UNAVAILABLE),
        ("timeout", StatusCode::GATEWAY_TIMEOUT),
        ("unsupported", StatusCode::NOT_FOUND),
        ("broken", StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let failed = failure(kind, true);
        let turn = json!({"fail": failed["failed"]});
        let answer = post(&url, "desk/stamp", None, ask(turn)).await;
        assert_eq!(answer, (status, failed));
    }
}

#[tokio::test]
async fn a_request_that_came_too_late_is_not_handled() {
    let seam = local();
    let url = serve(routes(seam.port, seam.clock)).await;
    let body = json!({"key": "k", "turn": "answer"}).to_string();
    let (status, answer) = post(&url, "desk/stamp", Some("0"), body).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer["failed"]["kind"], "timeout");
    assert_eq!(answer["failed"]["outcome_unknown"], false);
    assert!(seam.desk.calls.lock().is_empty());
}

#[tokio::test]
async fn what_cannot_be_understood_is_turned_away_without_being_quoted() {
    let seam = local();
    let url = serve(routes(seam.port, seam.clock)).await;
    let large = format!("\"{}\"", "x".repeat(5 * 1024 * 1024));
    let good = json!({"key": "k", "turn": "answer"}).to_string();
    for (status, deadline, body) in [
        (StatusCode::BAD_REQUEST, None, "{\"key\": 5".to_owned()),
        (StatusCode::BAD_REQUEST, None, "\"secret\"".to_owned()),
        (StatusCode::BAD_REQUEST, Some("soon"), good),
        (StatusCode::PAYLOAD_TOO_LARGE, None, large),
    ] {
        let (answered, answer) = post(&url, "desk/stamp", deadline, body).await;
        assert_eq!(answered, status);
        assert_eq!(answer["failed"]["kind"], "broken");
        assert_eq!(answer["failed"]["outcome_unknown"], false);
        assert!(!answer.to_string().contains("secret"));
    }
    assert!(seam.desk.calls.lock().is_empty());
}

#[tokio::test]
async fn what_is_not_served_is_unsupported() {
    let seam = local();
    let url = serve(routes(seam.port, seam.clock.clone())).await;
    let (status, answer) = post(&url, "desk/burn", None, "{}".into()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(answer["failed"]["kind"], "unsupported");

    let elsewhere = serve(axum::Router::new()).await;
    let port = Client::new(endpoint(&elsewhere, &seam.clock));
    let answer = port.stamp(&call(&seam.clock, 9), paper(Turn::Answer)).await;
    let failure = failure(answer);
    assert_eq!(failure.kind, FailureKind::Unsupported);
    assert!(!failure.outcome_unknown);
}

#[tokio::test]
async fn ports_of_several_contexts_are_served_side_by_side() {
    let seam = local();
    let other = axum::Router::new().route("/internal/v1/other/{operation}", axum::routing::any(""));
    let router = axum::Router::new()
        .merge(routes(seam.port.clone(), seam.clock.clone()))
        .merge(other);
    let url = serve(router).await;
    let body = json!({"key": "k", "turn": "answer"}).to_string();
    let (status, _) = post(&url, "desk/stamp", None, body).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_provider_that_is_away_did_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let clock = clock();
    let port = Client::new(endpoint(&format!("http://{address}"), &clock));
    let failure = failure(port.stamp(&call(&clock, 9), paper(Turn::Answer)).await);
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(!failure.outcome_unknown);
}

/// An endpoint that is called over HTTP/1.1, whose answers can be written by hand.
fn by_hand(address: SocketAddr, clock: &Arc<dyn Clock>) -> Endpoint {
    let http = reqwest::Client::builder().no_proxy().build();
    let base_url = format!("http://{address}");
    Endpoint::new(http.expect("a client"), "desk", &base_url, clock.clone())
}

/// Answers whoever asks whether anybody is there; what comes next is the call.
async fn let_in(stream: &mut tokio::net::TcpStream) {
    let mut request = [0; 4096];
    let read = stream.read(&mut request).await.expect("a request");
    assert!(request[..read].starts_with(b"GET /health/live "));
    let here = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(here).await.expect("sent");
}

/// Takes one call, answers with `bytes`, and dies.
async fn dying(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let_in(&mut stream).await;
        let mut request = [0; 4096];
        let read = stream.read(&mut request).await.expect("a request");
        assert!(read > 0);
        stream.write_all(bytes).await.expect("sent");
    });
    address
}

#[tokio::test]
async fn a_provider_that_dies_in_the_middle_may_have_acted() {
    for bytes in [
        b"".as_slice(),
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"number\"",
    ] {
        let clock = clock();
        let address = dying(bytes).await;
        let port = Client::new(by_hand(address, &clock));
        let failure = failure(port.stamp(&call(&clock, 9), paper(Turn::Answer)).await);
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
        assert!(failure.outcome_unknown);
    }
}

#[tokio::test]
async fn a_provider_that_dies_before_it_was_sent_anything_did_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let clock = clock();
    let port = Client::new(by_hand(address, &clock));
    let failure = failure(port.stamp(&call(&clock, 9), paper(Turn::Answer)).await);
    assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
    assert!(!failure.outcome_unknown);
}

#[tokio::test]
async fn an_answer_is_read_up_to_a_bound() {
    let large = async || "x".repeat(5 * 1024 * 1024);
    let router = axum::Router::new().route("/internal/v1/desk/stamp", axum::routing::post(large));
    let (url, clock) = (serve(router).await, clock());
    let port = Client::new(endpoint(&url, &clock));
    let failure = failure(port.stamp(&call(&clock, 9), paper(Turn::Answer)).await);
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.message.contains("is larger than"), "{failure}");
    assert!(failure.outcome_unknown);
}

#[tokio::test]
async fn an_answer_that_cannot_be_understood_may_have_been_an_effect() {
    let clock = clock();
    let address = dying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    let port = Client::new(by_hand(address, &clock));
    let failure = failure(port.stamp(&call(&clock, 9), paper(Turn::Answer)).await);
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.outcome_unknown);
}

#[tokio::test]
async fn a_caller_waits_no_longer_than_the_deadline_and_then_hangs_up() {
    let manual = ManualClock::default();
    let clock: Arc<dyn Clock> = Arc::new(manual.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (reached, at_desk) = oneshot::channel();
    let desk = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let_in(&mut stream).await;
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.expect("a request") > 0);
        reached.send(()).expect("the test waits");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("the end");
    });
    let port = Client::new(by_hand(address, &clock));
    let due = call(&clock, 9);
    let asked = tokio::spawn(async move { port.stamp(&due, paper(Turn::Hang)).await });
    at_desk.await.expect("asked");
    manual.advance(Duration::from_secs(9));
    let failure = failure(asked.await.expect("no panic"));
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(failure.outcome_unknown);
    desk.await.expect("hung up");
}

#[tokio::test]
async fn a_call_shows_the_credentials_that_it_was_given() {
    struct Badge(Result<&'static str, &'static str>);
    impl Credentials for Badge {
        fn authorization(&self) -> Result<http::HeaderValue, String> {
            self.0
                .map(http::HeaderValue::from_static)
                .map_err(str::to_owned)
        }
    }
    let seen = async |headers: http::HeaderMap, version: http::Version| {
        let shown = headers["authorization"] == "Bearer 7";
        assert_eq!(version, http::Version::HTTP_2);
        axum::Json(json!({"number": u8::from(shown)}))
    };
    let router = axum::Router::new().route("/internal/v1/desk/stamp", axum::routing::post(seen));
    let (url, clock) = (serve(router).await, clock());
    let port = |badge| Client::new(endpoint(&url, &clock).showing(Arc::new(Badge(badge))));
    let call = call(&clock, 9);
    let answer = port(Ok("Bearer 7")).stamp(&call, paper(Turn::Answer)).await;
    assert_eq!(answer.expect("stamped").number, 1);
    let nothing = port(Err("no key")).stamp(&call, paper(Turn::Answer)).await;
    let expected = Failure::clean(FailureKind::Broken, "no key");
    assert_eq!(failure(nothing), expected);
}

#[tokio::test]
async fn a_connection_that_is_cut_in_mid_call_leaves_the_outcome_unknown_and_the_next_call_connects_anew()
 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let seam = local();
    let router = routes(seam.port.clone(), seam.clock.clone());
    let desk = seam.desk.clone();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a caller");
        let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        let served = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
        let serving = tokio::spawn(async move {
            let io = hyper_util::rt::TokioIo::new(theirs);
            let _ = served.serve_connection(io, service).await;
        });
        let mut stream = stream;
        let reached = async {
            while desk.calls.lock().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut stream, &mut ours) => {}
            () = reached => {}
        }
        serving.abort();
        drop(stream);
        axum::serve(listener, router).await
    });
    let port = Client::new(endpoint(&url, &seam.clock));
    let cut = failure(port.stamp(&call(&seam.clock, 9), paper(Turn::Hang)).await);
    assert_eq!(cut.kind, FailureKind::Unavailable, "{cut}");
    assert!(cut.outcome_unknown);
    let answer = port.stamp(&call(&seam.clock, 9), paper(Turn::Answer)).await;
    assert_eq!(answer.expect("stamped").number, 2);
}
