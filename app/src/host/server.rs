//! The listener: HTTP/1.1 with keep-alive, and HTTP/2 for those who begin with
//! its preface. A connection that does not speak is closed; when the program
//! stops, requests in flight end first, for as long as `http.drain` allows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::HttpSettings;

/// How HTTP/2 begins (RFC 9113, 3.4); no method of HTTP/1 starts so.
const PREFACE: &[u8] = b"PRI ";
/// Requests of one HTTP/2 connection at one time.
const STREAMS: u32 = 256;
/// An accept that failed is tried again after so long: the process may be out of files.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` until `stop`, then lets requests in flight end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &HttpSettings,
    stop: CancellationToken,
) {
    let server = Server::new(router, settings, stop.clone());
    let connections = TaskTracker::new();
    let graceful = GracefulShutdown::new();
    while let Some(guest) = accept(&listener, &server.permits, &stop).await {
        let (server, watcher) = (server.clone(), graceful.watcher());
        connections.spawn(async move { server.attend(guest, watcher).await });
    }
    drop(listener);
    connections.close();
    let ended = async {
        graceful.shutdown().await;
        connections.wait().await;
    };
    if tokio::time::timeout(settings.drain, ended).await.is_err() {
        tracing::warn!("closing connections whose requests did not end in time");
        server.cut.cancel();
        connections.wait().await;
    }
}

/// A connection that may be served.
struct Guest {
    stream: TcpStream,
    address: SocketAddr,
    /// Counts it until it is closed.
    _permit: OwnedSemaphorePermit,
}

/// The next connection, once there is room for it; none after `stop`.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<Guest> {
    let next = async {
        let permit = permits.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    // Answers are small and written whole: waiting to fill a packet only delays them.
                    stream.set_nodelay(true).ok();
                    return Some(Guest {
                        stream,
                        address,
                        _permit: permit,
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        guest = next => guest,
    }
}

#[derive(Clone)]
struct Server {
    router: Router,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    header_limit: Duration,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    /// Cancelled when the time to drain is over.
    cut: CancellationToken,
}

impl Server {
    fn new(router: Router, settings: &HttpSettings, stop: CancellationToken) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(settings.header_limit);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .keep_alive_interval(settings.header_limit);
        Self {
            router,
            http1,
            http2,
            header_limit: settings.header_limit,
            permits: Arc::new(Semaphore::new(settings.connections)),
            stop,
            cut: CancellationToken::new(),
        }
    }

    async fn attend(self, guest: Guest, watcher: Watcher) {
        let cut = self.cut.clone();
        tokio::select! {
            biased;
            () = cut.cancelled() => {}
            () = self.talk(guest, watcher) => {}
        }
    }

    async fn talk(self, guest: Guest, watcher: Watcher) {
        let Some(http2) = self.first_words(&guest.stream).await else {
            return;
        };
        let (router, address) = (self.router, guest.address);
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(address));
            router.clone().call(request)
        });
        let stream = TokioIo::new(guest.stream);
        let ended = if http2 {
            let connection = self.http2.serve_connection(stream, service);
            watcher.watch(connection).await
        } else {
            let connection = self.http1.serve_connection(stream, service);
            watcher.watch(connection).await
        };
        // What ends a connection early is the client's affair, or was logged with its request.
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    /// Whether the client speaks HTTP/2; none where it says nothing in time.
    async fn first_words(&self, stream: &TcpStream) -> Option<bool> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            first = tokio::time::timeout(self.header_limit, speaks_http2(stream)) => {
                first.ok()?.ok()
            }
        }
    }
}

/// Whether the client begins with the preface of HTTP/2. Looks, and takes nothing.
async fn speaks_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    let seen = stream.peek(&mut first).await?;
    Ok(first[..seen] == *PREFACE)
}
