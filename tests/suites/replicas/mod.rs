//! Suite: several processes with the same contexts, over one Postgres database and
//! one broker. What one of them does alone it holds a lease for; whoever lost that
//! writes nothing more; and whatever dies, nothing is lost and nothing doubled.

mod leases;
mod occupancy;
mod owners;
mod relays;
mod shops;

use std::time::Duration;

use cleave_store::{OwnClock, PostgresOptions, Store};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store at the schema of `url`, as one of several processes has it.
async fn replica(url: &str) -> Store {
    replica_by(url, OwnClock::default()).await
}

/// The same on a machine with such a clock, whatever that may be.
async fn replica_by(url: &str, clock: OwnClock) -> Store {
    let options = PostgresOptions {
        clock,
        clock_tolerance: Duration::from_hours(1),
        writers: 2,
        readers: 2,
        poll: Duration::from_millis(20),
        ..PostgresOptions::default()
    };
    let store = Store::open_postgres("order", url, &options).await;
    let store = store.expect("opens");
    let migrated = store.migrate::<cleave_migrations::order::Migrator>().await;
    migrated.expect("migrates");
    store.share();
    store.occupy().await.expect("shared");
    store
}

/// Waits until something is so.
async fn eventually(what: &str, so: impl AsyncFn() -> bool) {
    let wait = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| panic!("{what} did not come in {PATIENCE:?}"));
}
