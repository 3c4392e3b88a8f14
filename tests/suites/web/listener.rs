//! The listener, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use axum::{Json, Router};
use cleave::host::{HttpSettings, serve};
use futures::StreamExt;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::door::Door;

/// A listener that serves, and what it is told.
struct Listening {
    address: SocketAddr,
    stop: CancellationToken,
    entered: Arc<Notify>,
    leave: Arc<Notify>,
    tasks: JoinSet<()>,
}

impl Listening {
    async fn new(change: impl FnOnce(&mut HttpSettings)) -> Self {
        let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut door = Door::new();
        change(&mut door.http);
        let (http, stop) = (door.http.clone(), door.stop.clone());
        let router = door.open(routes(entered.clone(), leave.clone())).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        let until = stop.clone();
        tasks.spawn(async move { serve(listener, router, &http, until).await });
        Self {
            address,
            stop,
            entered,
            leave,
            tasks,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    async fn ended(mut self) {
        self.tasks.join_next().await.expect("one").expect("ended");
    }
}

fn routes(entered: Arc<Notify>, leave: Arc<Notify>) -> Router {
    let waits = async move || {
        entered.notify_one();
        leave.notified().await;
        Json(json!("done"))
    };
    let events = async || {
        let first = futures::stream::once(async { Ok(Event::default().data("first")) });
        let rest = futures::stream::pending::<Result<Event, std::convert::Infallible>>();
        Sse::new(first.chain(rest))
    };
    Router::new()
        .route("/api/v1/orders", get(async || Json(json!([]))))
        .route("/api/v1/orders/waits", get(waits))
        .route("/api/v1/orders/events", get(events))
}

const GET: &[u8] = b"GET /api/v1/orders HTTP/1.1\r\nhost: x\r\n\r\n";

/// Reads until `mark` has come; what came.
async fn read_until(stream: &mut TcpStream, mark: &str) -> String {
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if text.contains(mark) {
            return text;
        }
        let more = stream.read_buf(&mut seen).await.expect("readable");
        assert!(more > 0, "closed after {text}");
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut seen = String::new();
    stream.read_to_string(&mut seen).await.expect("readable");
    seen
}

#[tokio::test]
async fn a_connection_is_kept_for_further_requests() {
    let listening = Listening::new(|_| {}).await;
    let mut stream = listening.connect().await;
    for _ in 0..3 {
        stream.write_all(GET).await.expect("written");
        let answer = read_until(&mut stream, "[]").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn http_2_is_understood_by_its_preface() {
    let listening = Listening::new(|_| {}).await;
    let stream = TokioIo::new(listening.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .expect("a handshake");
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request = Request::get("http://x/api/v1/orders").body(Empty::<bytes::Bytes>::new());
    let response = client.send_request(request.expect("a request")).await;
    let response = response.expect("answered");
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(response.status(), StatusCode::OK);
    let body = Body::new(response.into_body())
        .collect()
        .await
        .expect("a body");
    assert_eq!(body.to_bytes().as_ref(), b"[]");
}

#[tokio::test]
async fn who_says_nothing_is_shown_out() {
    let listening = Listening::new(|http| http.header_limit = Duration::from_millis(50)).await;
    let mut silent = listening.connect().await;
    assert_eq!(read_to_end(&mut silent).await, "");
    let mut slow = listening.connect().await;
    slow.write_all(&GET[..10]).await.expect("written");
    let answer = read_to_end(&mut slow).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let listening = Listening::new(|_| {}).await;
    let mut stream = listening.connect().await;
    let mut idle = listening.connect().await;
    idle.write_all(GET).await.expect("written");
    read_until(&mut idle, "[]").await;
    let waits = b"GET /api/v1/orders/waits HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(waits).await.expect("written");
    listening.entered.notified().await;
    listening.stop.cancel();
    // An idle connection is closed at once, and no new one is taken.
    assert_eq!(read_to_end(&mut idle).await, "");
    listening.leave.notify_one();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.ends_with("\"done\""), "{answer}");
    let address = listening.address;
    listening.ended().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_stream_of_events_ends_when_the_program_stops() {
    let listening = Listening::new(|_| {}).await;
    let mut stream = listening.connect().await;
    let events = b"GET /api/v1/orders/events HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n";
    stream.write_all(events).await.expect("written");
    let answer = read_until(&mut stream, "data: first").await;
    assert!(answer.contains("text/event-stream"), "{answer}");
    assert!(!answer.contains("content-encoding"), "{answer}");
    listening.stop.cancel();
    // The last chunk: the stream ended, and was not cut.
    assert!(read_to_end(&mut stream).await.ends_with("0\r\n\r\n"));
    listening.ended().await;
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let listening = Listening::new(|http| http.drain = Duration::from_millis(50)).await;
    let mut stream = listening.connect().await;
    let waits = b"GET /api/v1/orders/waits HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(waits).await.expect("written");
    listening.entered.notified().await;
    listening.stop.cancel();
    assert_eq!(read_to_end(&mut stream).await, "");
    listening.ended().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_room() {
    let listening = Listening::new(|http| http.connections = 1).await;
    let mut first = listening.connect().await;
    first.write_all(GET).await.expect("written");
    read_until(&mut first, "[]").await;
    let mut second = listening.connect().await;
    second.write_all(GET).await.expect("written");
    let early = tokio::time::timeout(Duration::from_millis(50), second.readable()).await;
    assert!(early.is_err(), "answered before there was room");
    drop(first);
    read_until(&mut second, "[]").await;
}
