//! A shop in several processes: which contexts each hosts is said in words
//! (`"payment,shipping"`), and every process has the same settings. A broker of the
//! deployment's own carries their events. Each can be killed and started again
//! where it was.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::time::Duration;

use cleave::topology::CONTEXTS;
use parking_lot::Mutex;
use reqwest::Method;
use tempfile::TempDir;

use crate::broker::Broker;
use crate::link::Link;
use crate::postgres::{self, Server};
use crate::program::Program;
use crate::shop::{ADMIN, Client};
use crate::stores::on_postgres;

/// The secret of every deployment under test.
pub const KEY: &str = "the secret of a deployment under test";

/// The processes of a shop.
pub struct Deployment {
    parts: Vec<Part>,
    environment: Vec<(String, String)>,
    /// What each is told besides, on its command line.
    words: &'static [&'static str],
    folder: TempDir,
    broker: Broker,
}

struct Part {
    /// What `--only` says.
    only: String,
    internal: SocketAddr,
    /// The way there, where it is not the straight one.
    link: Option<Link>,
    program: Option<Program>,
}

/// An address for a process that is yet to start. Below the ports that the system
/// gives to whoever asks for any, so that nobody takes it meanwhile, and another one
/// each time. By chance, and not one after the other: two runs at once would go
/// through the same ones side by side.
pub fn free() -> SocketAddr {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock();
    if given.len() > PORTS.len() / 2 {
        given.clear();
    }
    loop {
        let port = rand::random_range(PORTS);
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port))
            && given.insert(port)
        {
            return listener.local_addr().expect("an address");
        }
    }
}

const PORTS: Range<u16> = 12_000..20_000;

impl Deployment {
    /// Starts a process for each part; the first is the front that clients ask.
    pub async fn start(parts: &[&str], settings: &[(&str, &str)]) -> Self {
        let parts = parts.iter().map(|only| Part::of(only)).collect();
        Self::start_all(parts, settings, &[]).await
    }

    /// The same, with every context on Postgres, where several processes can share it.
    pub async fn start_on_postgres(parts: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::start_on(postgres::shared(), parts, settings).await
    }

    /// The same, on a server that may be the test's own.
    pub async fn start_on(server: &Server, parts: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut places = Vec::new();
        for context in CONTEXTS {
            let name = format!("DATABASE__{}__URL", context.to_uppercase());
            places.push((name, server.schema().await));
        }
        let places = places.iter().map(|(name, url)| (&**name, &**url));
        let settings: Vec<_> = settings.iter().copied().chain(places).collect();
        Self::start(parts, &settings).await
    }

    /// The same, with the demo's catalogue and accounts.
    pub async fn start_demo(parts: &[&str], settings: &[(&str, &str)]) -> Self {
        let parts = parts.iter().map(|only| Part::of(only)).collect();
        Self::start_all(parts, settings, &["--demo"]).await
    }

    /// The same, with a link before each process that all others go through.
    pub async fn start_over_links(parts: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut linked = Vec::new();
        for only in parts {
            let mut part = Part::of(only);
            part.link = Some(Link::before(part.internal).await);
            linked.push(part);
        }
        Self::start_all(linked, settings, &[]).await
    }

    async fn start_all(
        parts: Vec<Part>,
        settings: &[(&str, &str)],
        words: &'static [&'static str],
    ) -> Self {
        let broker = Broker::start().await;
        let mut environment: Vec<(String, String)> = [
            ("INTERNAL__KEY", KEY),
            ("BUS__KIND", "nats"),
            ("BUS__NATS__URL", &broker.url()),
            ("ADMIN__EMAIL", ADMIN.0),
            ("ADMIN__PASSWORD", ADMIN.1),
            ("GATEWAY__RATE_LIMIT__ENABLED", "false"),
            ("USER__HASHING__MEMORY_KIB", "8"),
            ("USER__HASHING__ITERATIONS", "1"),
        ]
        .iter()
        .chain(settings)
        .map(|(name, value)| (format!("CLEAVE__{name}"), (*value).to_owned()))
        .collect();
        for context in CONTEXTS {
            let ways: Vec<String> = parts
                .iter()
                .filter(|part| part.hosts(context))
                .map(|part| format!("http://{}", part.way()))
                .collect();
            assert!(!ways.is_empty(), "{context} is nowhere");
            let name = format!("CLEAVE__TOPOLOGY__{}", context.to_uppercase());
            environment.push((name, ways.join(",")));
            if on_postgres(context) {
                let name = format!("CLEAVE__DATABASE__{}__URL", context.to_uppercase());
                environment.push((name, postgres::shared().schema().await));
            }
        }
        let mut deployment = Self {
            parts,
            environment,
            words,
            folder: tempfile::tempdir().expect("a folder"),
            broker,
        };
        for index in 0..deployment.parts.len() {
            deployment.restart(index).await;
        }
        deployment.settle().await;
        deployment
    }

    /// Starts a part, where it was.
    pub async fn restart(&mut self, index: usize) {
        let part = &self.parts[index];
        let data = self.folder.path().join(index.to_string());
        std::fs::create_dir_all(&data).expect("a folder");
        let mut environment = self.environment.clone();
        let listen = (
            "CLEAVE__INTERNAL__LISTEN".to_owned(),
            part.internal.to_string(),
        );
        environment.push(listen);
        let (only, further) = (part.only.clone(), self.words);
        let started = tokio::task::spawn_blocking(move || {
            let environment: Vec<(&str, &str)> = environment
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let words = [&["--only", &only], further].concat();
            Program::serve(&data, &words, &environment)
        });
        self.parts[index].program = Some(started.await.expect("it starts"));
    }

    /// A gateway besides, with settings of its own over the deployment's.
    pub async fn gateway(&self, settings: &[(&str, &str)]) -> Program {
        let data = self.folder.path().join("gateway");
        std::fs::create_dir_all(&data).expect("a folder");
        let mut environment = self.environment.clone();
        let own = settings.iter();
        environment
            .extend(own.map(|(name, value)| (format!("CLEAVE__{name}"), (*value).to_owned())));
        let started = tokio::task::spawn_blocking(move || {
            let environment = environment.iter();
            let environment: Vec<(&str, &str)> = environment
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            Program::serve(&data, &["--only", "gateway"], &environment)
        });
        started.await.expect("it starts")
    }

    /// Waits until every process knows the keys of the user context.
    async fn settle(&self) {
        let mut admin = self.admin().await;
        for index in 0..self.parts.len() {
            let look = "/api/v1/ops/breakers";
            self.lists(&self.client(index), look, &mut admin).await;
        }
        for service in ["orders", "payments", "shipments", "notifications"] {
            let look = format!("/api/v1/{service}?limit=1");
            self.lists(&self.front(), &look, &mut admin).await;
        }
    }

    /// Waits until the admin is shown a list; signed in again only where the token
    /// has run out, because a test may let few sign in, or not for long.
    async fn lists(&self, client: &Client, look: &str, admin: &mut String) {
        for _ in 0..1000 {
            let shown = client.get(look, admin).await;
            if shown.body["items"].is_array() {
                return;
            }
            if shown.body["code"] == "token_expired" {
                *admin = self.admin().await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} never showed {look}", client.url());
    }

    /// What clients ask.
    pub fn front(&self) -> Client {
        self.client(0)
    }

    /// Where clients find the front, and every process that is its equal.
    pub fn fronts(&self) -> Vec<String> {
        let first = &self.parts[0].only;
        let equals = (0..self.parts.len()).filter(|index| self.parts[*index].only == *first);
        equals.map(|index| self.program(index).url()).collect()
    }

    /// Asks the gateway of one part.
    pub fn client(&self, index: usize) -> Client {
        Client::new(self.program(index).url())
    }

    /// One of the processes.
    pub fn program(&self, index: usize) -> &Program {
        let program = self.parts[index].program.as_ref();
        program.expect("it is running")
    }

    /// Where other processes call a part.
    pub fn internal(&self, index: usize) -> String {
        format!("http://{}", self.parts[index].internal)
    }

    /// What carries the events.
    pub fn broker(&mut self) -> &mut Broker {
        &mut self.broker
    }

    /// The way to a part.
    pub fn link(&self, index: usize) -> &Link {
        let link = self.parts[index].link.as_ref();
        link.expect("it was started with links")
    }

    /// Ends a part as a crash does.
    pub fn kill(&mut self, index: usize) {
        if let Some(program) = self.parts[index].program.take() {
            program.kill();
        }
    }

    /// Ends a part in good order; what it logged.
    pub fn stop(&mut self, index: usize) -> String {
        let program = self.parts[index].program.take();
        let (status, log) = program.expect("it is running").stop();
        assert!(status.success(), "{log}");
        log
    }

    /// Ends every part in good order.
    pub fn stop_all(mut self) {
        for index in 0..self.parts.len() {
            self.stop(index);
        }
    }

    /// Signs in the admin at the front.
    pub async fn admin(&self) -> String {
        self.front().sign_in(ADMIN.0, ADMIN.1).await
    }
}

impl Part {
    fn of(only: &str) -> Self {
        Self {
            only: only.to_owned(),
            internal: free(),
            link: None,
            program: None,
        }
    }

    /// Where others call it.
    fn way(&self) -> SocketAddr {
        self.link
            .as_ref()
            .map_or(self.internal, |link| link.address)
    }

    fn hosts(&self, context: &str) -> bool {
        self.only.split(',').any(|name| name == context)
    }
}

/// A word that keeps requests short: `GET` without a token.
pub async fn anonymous(client: &Client, path: &str) -> crate::shop::Reply {
    client.send(Method::GET, path, None, &[], None).await
}
