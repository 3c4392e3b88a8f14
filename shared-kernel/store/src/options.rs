//! How a store is run, on either database.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::OwnClock;

/// The settings of `database.sqlite`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteOptions {
    /// Units of work that may wait for the writer; one more is refused as busy.
    pub write_queue: usize,
    /// Units that share a commit, at the most.
    pub group_limit: usize,
    /// Connections that read beside the writer.
    pub readers: usize,
    /// Queries that may wait for a reader; one more is refused as busy.
    pub read_queue: usize,
    /// Wait for the disk at each commit (`synchronous = FULL`), so that what was
    /// acknowledged survives a power cut. Off: it survives a crash of the program alone.
    pub durable: bool,
    /// Pages of 4 KiB that the file may grow to; 0 for no limit but the disk.
    pub max_pages: u32,
    /// Page cache of each connection, KiB.
    pub cache_kib: u32,
    /// Pages that the write-ahead log may hold before they are copied into the file.
    pub checkpoint_pages: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            write_queue: 4096,
            group_limit: 256,
            readers: 2,
            read_queue: 1024,
            durable: true,
            max_pages: 0,
            cache_kib: 1024,
            checkpoint_pages: 4000,
        }
    }
}

impl SqliteOptions {
    /// What is wrong with them, by the name of the setting.
    pub fn validate(&self) -> Result<(), String> {
        for (name, value, most) in [
            ("write_queue", self.write_queue, 1_000_000),
            ("group_limit", self.group_limit, 100_000),
            ("readers", self.readers, 256),
            ("read_queue", self.read_queue, 1_000_000),
        ] {
            if !(1..=most).contains(&value) {
                return Err(format!("database.sqlite.{name} must be 1 to {most}"));
            }
        }
        Ok(())
    }
}

/// The settings of `database.postgres`, for each context on Postgres.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresOptions {
    /// Connections for units of work: as many transactions run side by side.
    pub writers: usize,
    /// Units that share a transaction and its commit, at the most; 1 for a
    /// transaction to each.
    pub group_limit: usize,
    /// How long a unit waits for a transaction under way to take it in, or to end,
    /// before another begins beside it.
    #[serde(with = "cleave_vocabulary::duration")]
    pub group_wait: Duration,
    /// Connections for queries.
    pub readers: usize,
    /// Units of work that may wait for a connection; one more is refused as busy.
    pub write_queue: usize,
    /// Queries that may wait for a connection; one more is refused as busy.
    pub read_queue: usize,
    /// How long to make a connection may take.
    #[serde(with = "cleave_vocabulary::duration")]
    pub connect_timeout: Duration,
    /// How long one statement may take.
    #[serde(with = "cleave_vocabulary::duration")]
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock.
    #[serde(with = "cleave_vocabulary::duration")]
    pub lock_timeout: Duration,
    /// How long the server keeps a transaction that nobody goes on with.
    #[serde(with = "cleave_vocabulary::duration")]
    pub idle_in_transaction_timeout: Duration,
    /// How often a unit is run again that collided with others.
    pub retries: u32,
    /// How long a unit waits for a server that went away.
    #[serde(with = "cleave_vocabulary::duration")]
    pub patience: Duration,
    /// How often a server that nobody asks anything is looked at.
    #[serde(with = "cleave_vocabulary::duration")]
    pub look_every: Duration,
    /// How often a process looks for what another has left to it, where several
    /// share a database.
    #[serde(with = "cleave_vocabulary::duration")]
    pub poll: Duration,
    /// How far this machine's clock may be from the server's at the start.
    #[serde(with = "cleave_vocabulary::duration")]
    pub clock_tolerance: Duration,
    /// Which clock that is; no setting.
    #[serde(skip)]
    pub clock: OwnClock,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            writers: 4,
            group_limit: 64,
            group_wait: Duration::from_millis(20),
            readers: 3,
            write_queue: 4096,
            read_queue: 1024,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(10),
            retries: 10,
            patience: Duration::from_secs(3),
            look_every: Duration::from_secs(2),
            poll: Duration::from_millis(250),
            clock_tolerance: Duration::from_secs(10),
            clock: OwnClock::default(),
        }
    }
}

impl PostgresOptions {
    /// What is wrong with them, by the name of the setting.
    pub fn validate(&self) -> Result<(), String> {
        for (name, value, most) in [
            ("writers", self.writers, 1000),
            ("group_limit", self.group_limit, 100_000),
            ("readers", self.readers, 1000),
            ("write_queue", self.write_queue, 1_000_000),
            ("read_queue", self.read_queue, 1_000_000),
        ] {
            if !(1..=most).contains(&value) {
                return Err(format!("database.postgres.{name} must be 1 to {most}"));
            }
        }
        let day = Duration::from_hours(24);
        for (name, value) in [
            ("connect_timeout", self.connect_timeout),
            ("statement_timeout", self.statement_timeout),
            ("lock_timeout", self.lock_timeout),
            (
                "idle_in_transaction_timeout",
                self.idle_in_transaction_timeout,
            ),
            ("look_every", self.look_every),
            ("poll", self.poll),
            ("clock_tolerance", self.clock_tolerance),
        ] {
            if value < Duration::from_millis(1) || value > day {
                return Err(format!("database.postgres.{name} must be 1ms to 24h"));
            }
        }
        if self.group_wait > Duration::from_secs(1) {
            return Err("database.postgres.group_wait must be 1s or less".to_owned());
        }
        if self.patience > Duration::from_mins(5) {
            return Err("database.postgres.patience must be 5m or less".to_owned());
        }
        if self.retries > 1000 {
            return Err("database.postgres.retries must be 1000 or less".to_owned());
        }
        Ok(())
    }
    /// How long a server that is alive can take to answer.
    pub(crate) fn answer_within(&self) -> Duration {
        self.statement_timeout + self.connect_timeout
    }
}
