//! A host that is gone: whoever connects to it hears nothing at all.

use std::net::SocketAddr;
use std::time::Instant;

use futures::future::join_all;
use tokio::net::{TcpSocket, TcpStream};

use super::*;

/// An address that takes no connection and refuses none, as of a host that vanished:
/// a listener whose queue is full.
struct Gone {
    address: SocketAddr,
    socket: tokio::net::TcpListener,
    queued: Vec<TcpStream>,
}

impl Gone {
    async fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let any = "127.0.0.1:0".parse().expect("an address");
        socket.bind(any).expect("a port");
        let socket = socket.listen(1).expect("it listens");
        let address = socket.local_addr().expect("an address");
        let mut queued = Vec::new();
        let moment = Duration::from_millis(200);
        while let Ok(stream) = tokio::time::timeout(moment, TcpStream::connect(address)).await {
            queued.push(stream.expect("a place in the queue"));
        }
        Self {
            address,
            socket,
            queued,
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves from now on.
    fn come_back(self, router: axum::Router) {
        drop(self.queued);
        tokio::spawn(async move { axum::serve(self.socket, router).await });
    }
}

/// So many calls at once, and how long the last of them took.
async fn calls(
    port: &Client,
    clock: &Arc<dyn Clock>,
    count: usize,
) -> (Vec<Result<desk::Stamped, PortError>>, Duration) {
    #[expect(clippy::disallowed_methods, reason = "a measurement")]
    let began = Instant::now();
    let calls = (0..count).map(async |_| {
        let call = call(clock, 9);
        port.stamp(&call, paper(Turn::Answer)).await
    });
    (join_all(calls).await, began.elapsed())
}

const SOON: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn calls_pass_a_host_that_is_gone_all_at_once() {
    let (clock, desk, gone) = (clock(), Arc::new(Desk::default()), Gone::new().await);
    let alive = serve(routes(desk.clone(), clock.clone())).await;
    let port = Client::new(endpoint(&format!("{},{alive}", gone.url()), &clock));
    let (answers, took) = calls(&port, &clock, 50).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(took < SOON, "{took:?}");
    assert_eq!(desk.calls.lock().len(), 50);
    // It rests now, and costs nobody anything.
    let (answers, took) = calls(&port, &clock, 50).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(took < Duration::from_millis(900), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_the_only_host_fail_soon_and_clean_when_it_is_gone() {
    let (clock, gone) = (clock(), Gone::new().await);
    let port = Client::new(endpoint(&gone.url(), &clock));
    let (answers, took) = calls(&port, &clock, 50).await;
    for answer in answers {
        let failure = failure(answer);
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
        assert!(!failure.outcome_unknown);
    }
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_back_is_called_again_when_it_has_rested() {
    let manual = ManualClock::default();
    let clock: Arc<dyn Clock> = Arc::new(manual.clone());
    let (stays, returns) = (Arc::new(Desk::default()), Arc::new(Desk::default()));
    let gone = Gone::new().await;
    let alive = serve(routes(stays.clone(), clock.clone())).await;
    let port = Client::new(endpoint(&format!("{},{alive}", gone.url()), &clock));
    let (answers, _) = calls(&port, &clock, 4).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    gone.come_back(routes(returns.clone(), clock.clone()));
    let (answers, _) = calls(&port, &clock, 4).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(returns.calls.lock().len(), 0, "it rests");
    manual.advance(Duration::from_secs(2));
    for _ in 0..4 {
        let (answers, _) = calls(&port, &clock, 1).await;
        assert!(answers[0].is_ok(), "{answers:?}");
    }
    assert!(!returns.calls.lock().is_empty(), "it is used again");
}
