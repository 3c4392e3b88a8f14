//! A link between two processes: connections pass through it, and it can be made
//! slow, silent, or cut.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// What is said is heard.
    Open,
    /// It is heard so much later.
    Slow(Duration),
    /// Nothing is heard, and nobody is told.
    Silent,
    /// Connections end, and there are no new ones.
    Cut,
}

/// The way to one process.
pub struct Link {
    /// Where it begins.
    pub address: SocketAddr,
    state: watch::Sender<State>,
    _accepting: JoinSet<()>,
}

impl Link {
    /// Before the process at `to`, which need not be there yet.
    pub async fn before(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (state, seen) = watch::channel(State::Open);
        let accept = async move {
            let mut passing = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                passing.spawn(pass(client, to, seen.clone()));
                while passing.try_join_next().is_some() {}
            }
        };
        let mut accepting = JoinSet::new();
        accepting.spawn(accept);
        Self {
            address,
            state,
            _accepting: accepting,
        }
    }

    /// From now on it is like that.
    pub fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn pass(client: TcpStream, to: SocketAddr, mut state: watch::Receiver<State>) {
    if *state.borrow() == State::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(to).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (forth, back) = (state.clone(), state.clone());
    tokio::select! {
        () = carry(from_client, to_server, forth) => {}
        () = carry(from_server, to_client, back) => {}
        () = async { drop(state.wait_for(|state| *state == State::Cut).await) } => {}
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let now = *state.borrow_and_update();
        if let State::Slow(by) = now {
            tokio::time::sleep(by).await;
        }
        drop(state.wait_for(|state| *state != State::Silent).await);
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
