//! Where the database is, and whether it will do.

use std::io::ErrorKind;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{ConnectOptions, Connection, Row};

use super::fault::server_error;
use super::session::{part, within};
use crate::moving::MARK;
use crate::{OpenError, PostgresOptions};

/// The oldest server that will do, as `server_version_num` counts.
const OLDEST: i64 = 150_000;
/// Units and queries reach rows by their keys, and those rows are in the server's
/// memory. The planner is told so, because what it knows of a table that has just
/// filled, and of lists that a statement joins with it, would make it read all of the
/// table.
const BY_KEY: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("seq_page_cost", "0.01"),
    ("random_page_cost", "0.01"),
];

/// How many times as long as units a migration waits for a lock.
const OWN_PATIENCE: u32 = 6;
/// Prepared statements kept for each connection.
const STATEMENTS: usize = 512;
/// What may stand behind the question mark of a URL; `schema` is ours.
const PARAMETERS: [&str; 15] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "ssl-mode",
    "ssl-root-cert",
    "schema",
];

/// Each connection of a store shares a lock with the others of its schema, for as
/// long as it lives; who copies the schema has it alone.
const SHARE: &str =
    "SELECT pg_try_advisory_lock_shared(hashtext('cleave store'), hashtext($1)) AS held";
const ALONE: &str = "SELECT pg_try_advisory_lock(hashtext('cleave store'), hashtext($1)) AS held";

/// How often a schema is asked for that is locked, and the wait between: the server
/// may take a moment to notice that a process has ended.
pub(crate) const PATIENCE: u32 = 20;
pub(crate) const BETWEEN: Duration = Duration::from_millis(100);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Units of work.
    Write,
    /// Queries, each over one snapshot.
    Read,
    /// A look at the server, or a migration, whose statements take the time they take.
    Own,
}

/// A schema of a database on a server.
pub(crate) struct Target {
    pub(super) schema: String,
    connect: PgConnectOptions,
    timeout: Duration,
    limits: [(&'static str, Duration); 3],
}

impl Target {
    /// Parses the URL; what is not understood is refused, because a parameter
    /// that is mistyped is most often one that should have made it safe.
    pub(crate) fn parse(
        name: &str,
        url: &str,
        options: &PostgresOptions,
    ) -> Result<Self, OpenError> {
        let bad = |reason: &str| OpenError::BadUrl(reason.to_owned());
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(bad("it begins with neither postgres:// nor postgresql://"));
        }
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (ours, theirs): (Vec<_>, Vec<_>) = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .partition(|pair| pair.starts_with("schema="));
        for pair in &theirs {
            let key = pair.split('=').next().unwrap_or(pair);
            if !PARAMETERS.contains(&key)
                && !key.starts_with("options%5B")
                && !key.starts_with("options[")
            {
                return Err(bad(&format!("its parameter {key} is unknown")));
            }
            if let Some(file) = file_of(pair)
                && let Err(error) = std::fs::File::open(&file)
            {
                let reason = format!("{key} names {file}, which can't be read: {error}");
                return Err(bad(&reason));
            }
        }
        let schema = match ours.last().and_then(|pair| pair.split_once('=')) {
            Some((_, schema)) => schema.to_owned(),
            None => format!("cleave_{}", name.replace('-', "_")),
        };
        if !is_name(&schema) {
            return Err(bad(
                "its schema must begin with a letter and have up to 63 lower-case letters, digits and underscores",
            ));
        }
        let connect = PgConnectOptions::from_str(&format!("{place}?{}", theirs.join("&")))
            .map_err(|error| bad(&error.to_string()))?;
        Ok(Self {
            connect: connect
                .disable_statement_logging()
                .statement_cache_capacity(STATEMENTS)
                .application_name(&format!("cleave {name}"))
                // Notices are for people at a prompt.
                .options([
                    ("search_path", &*schema),
                    ("client_min_messages", "warning"),
                ]),
            schema,
            timeout: options.connect_timeout,
            limits: [
                ("statement_timeout", options.statement_timeout),
                ("lock_timeout", options.lock_timeout),
                (
                    "idle_in_transaction_session_timeout",
                    options.idle_in_transaction_timeout,
                ),
            ],
        })
    }

    /// Host, port and database, as messages name them.
    pub(super) fn server(&self) -> String {
        let database = self.connect.get_database();
        let database = database.unwrap_or_else(|| self.connect.get_username());
        let port = self.connect.get_port();
        match self.connect.get_socket() {
            Some(folder) => format!("{}:{port}/{database}", folder.display()),
            None => format!("{}:{port}/{database}", self.connect.get_host()),
        }
    }

    /// How to connect for a purpose. Limits travel with the start of the
    /// connection, so that they cost no statement.
    pub(super) fn options(&self, purpose: Purpose) -> PgConnectOptions {
        let connect = self.connect.clone();
        if purpose == Purpose::Own {
            // Nobody waits for a lock for ever, but what is seldom may wait for longer.
            let [_, (name, limit), _] = self.limits;
            return connect.options([(name, (limit * OWN_PATIENCE).as_millis().max(1))]);
        }
        let limits = self.limits.iter();
        let connect =
            connect.options(limits.map(|(name, limit)| (*name, limit.as_millis().max(1))));
        let connect = connect.options(BY_KEY);
        if purpose == Purpose::Write {
            return connect;
        }
        connect.options([
            ("default_transaction_isolation", "repeatable read"),
            ("default_transaction_read_only", "on"),
        ])
    }

    /// Connects.
    pub(crate) async fn connect(&self, purpose: Purpose) -> Result<PgConnection, sqlx::Error> {
        let options = self.options(purpose);
        let connect = PgConnection::connect_with(&options);
        let mut connection = within(self.timeout, connect).await?;
        if purpose != Purpose::Own && !self.lock(&mut connection, SHARE).await? {
            let moved = std::io::Error::other("`cleave move` copies this schema");
            return Err(sqlx::Error::Io(moved));
        }
        Ok(connection)
    }

    /// Keeps stores out of the schema for as long as the connection lives; false
    /// where one is in it.
    pub(crate) async fn lock_alone(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        self.lock(connection, ALONE).await
    }

    pub(super) async fn lock(
        &self,
        connection: &mut PgConnection,
        how: &'static str,
    ) -> sqlx::Result<bool> {
        let ask = sqlx::query(how).bind(&self.schema).fetch_one(connection);
        within(self.timeout, ask).await?.try_get("held")
    }

    pub(crate) fn in_use(&self) -> OpenError {
        OpenError::SchemaInUse {
            server: self.server(),
            schema: self.schema.clone(),
        }
    }

    /// Whether a store can be opened there, and why not.
    pub(super) async fn examine(&self, name: &str) -> Result<(), OpenError> {
        let unreadable = |error: sqlx::Error| self.explain(&error);
        for _ in 0..PATIENCE {
            let row = self.look().await?;
            if row.try_get("unfinished").map_err(unreadable)? {
                return Err(OpenError::HalfMoved {
                    database: name.to_owned(),
                });
            }
            if row.try_get("free").map_err(unreadable)? {
                return Ok(());
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Err(self.in_use())
    }

    /// Whether the database will do, and why it will not; what else it told.
    pub(crate) async fn look(&self) -> Result<PgRow, OpenError> {
        const LOOK: &str = "SELECT current_setting('server_version_num')::bigint AS version, \
             current_setting('server_version') AS shown, \
             current_setting('transaction_read_only') = 'on' AS read_only, \
             (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1) AS usable, \
             EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relname = $2) AS unfinished, \
             EXISTS (SELECT 1 FROM pg_class c \
               WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) \
               AND c.relkind IN ('r', 'p') AND NOT \
               (has_table_privilege(c.oid, 'SELECT') AND (c.relname = 'seaql_migrations' OR \
               has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') \
               AND has_table_privilege(c.oid, 'DELETE')))) AS barred, \
             pg_try_advisory_xact_lock_shared(hashtext('cleave store'), hashtext($1)) AS free";
        let mut connection = self
            .connect(Purpose::Own)
            .await
            .map_err(|error| self.explain(&error))?;
        let ask = sqlx::query(LOOK).bind(&self.schema).bind(MARK);
        let row = within(self.timeout, ask.fetch_one(&mut connection)).await;
        let row = row.map_err(|error| self.explain(&error))?;
        part(connection, self.timeout).await;
        self.judge(&row)?;
        Ok(row)
    }

    fn judge(&self, row: &PgRow) -> Result<(), OpenError> {
        let server = self.server();
        let unreadable = |error: sqlx::Error| self.explain(&error);
        if row.try_get::<i64, _>("version").map_err(unreadable)? < OLDEST {
            let found = row.try_get("shown").map_err(unreadable)?;
            return Err(OpenError::TooOld { server, found });
        }
        if row.try_get("read_only").map_err(unreadable)? {
            return Err(self.read_only());
        }
        let schema = self.schema.clone();
        match row.try_get("usable").map_err(unreadable)? {
            Some(true) if row.try_get("barred").map_err(unreadable)? => {
                Err(self.no_right("read and change every table in"))
            }
            Some(true) => Ok(()),
            Some(false) => Err(self.no_right("use")),
            None => Err(OpenError::NoSchema { server, schema }),
        }
    }

    pub(super) fn read_only(&self) -> OpenError {
        OpenError::ReadOnly {
            server: self.server(),
        }
    }

    pub(super) fn no_right(&self, right: &'static str) -> OpenError {
        OpenError::NoRights {
            server: self.server(),
            user: self.connect.get_username().to_owned(),
            right,
            schema: self.schema.clone(),
        }
    }

    /// What a failure to connect means to whoever set the URL.
    pub(crate) fn explain(&self, error: &sqlx::Error) -> OpenError {
        let server = self.server();
        let Some(said) = server_error(error) else {
            let reason = error.to_string();
            return match error {
                sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => {
                    OpenError::Tls { server, reason }
                }
                // How rustls says that it does not trust the server.
                sqlx::Error::Io(inner) if inner.kind() == ErrorKind::InvalidData => {
                    let reason = inner.to_string();
                    OpenError::Tls { server, reason }
                }
                sqlx::Error::Io(inner) => OpenError::Unreachable {
                    server,
                    reason: inner.to_string(),
                },
                _ => OpenError::Unreachable { server, reason },
            };
        };
        let reason = said.message().to_owned();
        match said.code() {
            "53300" => OpenError::Crowded { server, reason },
            "3D000" => OpenError::NoDatabase { server },
            // Wrong password, no entry in pg_hba.conf, no right to connect.
            "28P01" | "28000" | "42501" => OpenError::Denied {
                server,
                user: self.connect.get_username().to_owned(),
                reason,
            },
            _ => OpenError::Unreachable { server, reason },
        }
    }
}

/// The file that a parameter names, where it is one that does.
fn file_of(pair: &str) -> Option<String> {
    let (key, value) = pair.split_once('=')?;
    let names = ["sslrootcert", "sslcert", "sslkey", "ssl-root-cert"].contains(&key);
    names.then(|| {
        percent_encoding::percent_decode_str(value)
            .decode_utf8_lossy()
            .into_owned()
    })
}

/// Where a URL leads, for messages: server, database and schema, without the user.
pub(crate) fn shown(name: &str, url: &str) -> String {
    match Target::parse(name, url, &PostgresOptions::default()) {
        Ok(target) => format!("{}, schema {}", target.server(), target.schema),
        Err(error) => error.to_string(),
    }
}

/// The schema that is a database's at a URL, as messages name it; none where that
/// is no URL of a Postgres database.
pub fn schema_of(name: &str, url: &str) -> Option<String> {
    let target = Target::parse(name, url, &PostgresOptions::default()).ok()?;
    Some(format!("{}, schema {}", target.server(), target.schema))
}

/// Whether a URL can be one of a Postgres database, without asking anybody.
pub fn check_url(url: &str) -> Result<(), OpenError> {
    Target::parse("check", url, &PostgresOptions::default()).map(drop)
}

/// Whether it can be written without quotes, as itself.
pub(super) fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    let first = letters.next();
    first.is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && letters
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
        && name.len() <= 63
}
