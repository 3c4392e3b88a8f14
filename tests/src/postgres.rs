//! Throwaway Postgres servers. One is shared by every test of the process; a test
//! that stops its server, or wants another kind of it, starts its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;
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

    /// The same in a folder that may hold a server's data already.
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
        if let Some((mut held, _folder)) = self.held.take() {
            drop(held.stdin.take());
            held.wait().expect("tests/postgres ends");
        }
    }
}
