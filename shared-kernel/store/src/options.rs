//! How a SQLite store is run.

use serde::{Deserialize, Serialize};

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
