//! Throwaway Postgres servers. One is shared by every test of the process; a test
//! that stops its server, or wants another kind of it, starts its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use uuid::Uuid;

/// A server that runs, and its owner's URL.
pub struct Server {
    url: String,
    /// Ends the server once its standard input does; none where somebody else
    /// started it.
    held: Option<(Child, TempDir)>,
}

/// The server that every test may use: that of `CLEAVE_TEST_POSTGRES`, or one
/// that ends with this process.
pub fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("CLEAVE_TEST_POSTGRES") {
        Ok(url) => Server { url, held: None },
        Err(_) => Server::start(""),
    })
}

impl Server {
    /// Starts one of its own, with further words for its command line.
    pub fn start(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(folder, options)
    }

    /// Ends the server and starts it again after `meanwhile`, with its data and
    /// its port.
    pub async fn restart(mut self, meanwhile: impl AsyncFnOnce()) -> Self {
        let (held, folder) = self.held.take().expect("it is the test's own");
        end(held);
        meanwhile().await;
        Self::start_in(folder, "")
    }

    /// Ends it in the middle of everything, as a crash does: it recovers from its
    /// log at the next start.
    ///
    /// # Panics
    /// Where it is not the test's own.
    pub fn crash(&self) {
        let (_, folder) = self.held.as_ref().expect("it is the test's own");
        let process = std::fs::read_to_string(folder.path().join("pid")).expect("a process");
        let ended = Command::new("kill")
            .args(["-QUIT", process.trim()])
            .status();
        assert!(ended.is_ok_and(|status| status.success()), "it runs");
    }

    fn start_in(folder: TempDir, options: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres");
        let mut held = Command::new(script)
            .arg("hold")
            .arg(folder.path())
            .env("CLEAVE_TEST_POSTGRES_OPTIONS", options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/postgres starts");
        let mut url = String::new();
        let mut said = BufReader::new(held.stdout.take().expect("its output is piped"));
        said.read_line(&mut url).expect("it says its URL");
        let url = url.trim().to_owned();
        assert!(!url.is_empty(), "the Postgres server did not start");
        let held = Some((held, folder));
        Self { url, held }
    }

    /// The owner's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same place by way of the server's socket. Only of a server that this
    /// program has started.
    pub fn by_socket(&self, url: &str) -> String {
        let (_, folder) = self.held.as_ref().expect("it was started here");
        let mark = if url.contains('?') { '&' } else { '?' };
        format!("{url}{mark}host={}", folder.path().display())
    }

    /// The URL of a fresh schema.
    pub async fn schema(&self) -> String {
        let schema = format!("test_{}", Uuid::now_v7().simple());
        self.run(&format!("CREATE SCHEMA {schema}")).await;
        format!("{}?schema={schema}", self.url)
    }

    /// The owner's URL of a fresh database.
    pub async fn database(&self) -> String {
        let database = format!("test_{}", Uuid::now_v7().simple());
        self.run(&format!("CREATE DATABASE {database}")).await;
        let (server, _) = self.url.rsplit_once('/').expect("it names a database");
        format!("{server}/{database}")
    }

    /// Runs statements as the owner.
    pub async fn run(&self, sql: &str) {
        run(&self.url, sql).await;
    }
}

/// Runs statements in a database.
pub async fn run(url: &str, sql: &str) {
    let connection = PgConnection::connect(url).await;
    let mut connection = connection.expect("the test can connect");
    let done = connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await;
    done.expect("the test's statement runs");
    connection.close().await.expect("it closes");
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((held, _folder)) = self.held.take() {
            end(held);
        }
    }
}

fn end(mut held: Child) {
    drop(held.stdin.take());
    held.wait().expect("tests/postgres ends");
}

/// What stands between a store and its server: connections pass through it
/// until one says what it is told to cut at.
pub struct Proxy {
    /// The server's URL by way of the proxy.
    pub url: String,
    cut: Arc<Mutex<Option<Cut>>>,
    swap: Arc<Mutex<Option<Swap>>>,
    _accepting: JoinSet<()>,
}

/// A number in the server's answers, and what the client hears instead.
#[derive(Clone, Copy)]
pub struct Swap {
    /// As the server says it.
    pub from: i64,
    /// As the client hears it.
    pub to: i64,
}

/// Where a connection is cut, once.
#[derive(Clone)]
pub struct Cut {
    /// What the client says.
    pub at: &'static str,
    /// Whether the server hears it.
    pub heard: bool,
}

impl Proxy {
    /// Before the server of `url`, which names host and port.
    pub async fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (head, rest) = url.split_once('@').expect("it names a user");
        let (server, rest) = rest.split_once('/').expect("it names a database");
        let (server, cut) = (server.to_owned(), Arc::<Mutex<Option<Cut>>>::default());
        let url = format!("{head}@127.0.0.1:{port}/{rest}");
        let (cuts, swap) = (cut.clone(), Arc::<Mutex<Option<Swap>>>::default());
        let swaps = swap.clone();
        let accept = async move {
            let mut passing = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(&server).await.expect("the server");
                passing.spawn(pass(client, upstream, cuts.clone(), swaps.clone()));
            }
        };
        let mut accepting = JoinSet::new();
        accepting.spawn(accept);
        Self {
            url,
            cut,
            swap,
            _accepting: accepting,
        }
    }

    /// Changes a number in all answers from here on.
    pub fn swap(&self, swap: Swap) {
        *self.swap.lock() = Some(swap);
    }

    /// Cuts the next connection that says so.
    pub fn cut(&self, at: Cut) {
        *self.cut.lock() = Some(at);
    }

    /// Whether it has been cut.
    pub fn has_cut(&self) -> bool {
        self.cut.lock().is_none()
    }
}

impl Swap {
    fn apply(self, said: &mut [u8]) {
        let (from, to) = (self.from.to_be_bytes(), self.to.to_be_bytes());
        let place = said.windows(from.len()).position(|some| some == from);
        if let Some(place) = place {
            said[place..place + to.len()].copy_from_slice(&to);
        }
    }
}

async fn pass(
    client: TcpStream,
    server: TcpStream,
    cut: Arc<Mutex<Option<Cut>>>,
    swap: Arc<Mutex<Option<Swap>>>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut bytes).await {
            let said = &mut bytes[..read];
            if let Some(swap) = *swap.lock() {
                swap.apply(said);
            }
            if to_client.write_all(said).await.is_err() {
                break;
            }
        }
    };
    let forth = async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
            let said = &bytes[..read];
            let due = cut.lock().take_if(|cut| {
                let at = cut.at.as_bytes();
                said.windows(at.len()).any(|some| some == at)
            });
            if due.as_ref().is_none_or(|cut| cut.heard) && to_server.write_all(said).await.is_err()
            {
                return None;
            }
            if due.is_some() {
                return due;
            }
        }
        None
    };
    let cut = tokio::select! {
        () = back => None,
        cut = forth => cut,
    };
    if cut.is_some_and(|cut| cut.heard) {
        // Until the server has answered what nobody will hear.
        let _ = from_server.readable().await;
    }
}
