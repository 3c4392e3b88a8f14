//! Throwaway stores: a real database, fresh for each test. A SQLite file in a
//! temporary folder, or a schema of a throwaway Postgres server where the
//! environment says `CLEAVE_TEST_STORE=postgres`.

use cleave::topology::CONTEXTS;
use cleave_messaging::Outbox;
use cleave_store::{PostgresOptions, SqliteOptions, Store, Tx, Unit};
use cleave_vocabulary::Envelope;
use sea_orm_migration::MigratorTrait;
use tempfile::TempDir;

use crate::postgres;

/// A store that is migrated and empty, and the folder that goes with it.
pub struct TempStore {
    /// The store.
    pub store: Store,
    /// Removed when dropped; empty on Postgres.
    pub folder: TempDir,
}

/// Whether the suites run over Postgres.
pub fn over_postgres() -> bool {
    match std::env::var("CLEAVE_TEST_STORE").as_deref() {
        Err(_) | Ok("sqlite") => false,
        Ok("postgres") => true,
        // Some contexts of a shop here and some there: what has one store alone is on SQLite.
        Ok(some) if some.split(',').all(|name| CONTEXTS.contains(&name)) => false,
        Ok(other) => panic!(
            "CLEAVE_TEST_STORE is {other}; it may be sqlite, postgres, or the contexts that a shop has on Postgres (payment,order)"
        ),
    }
}

/// Whether the shops of this run have this context on Postgres.
pub fn on_postgres(context: &str) -> bool {
    let named = std::env::var("CLEAVE_TEST_STORE").unwrap_or_default();
    over_postgres() || named.split(',').any(|name| name == context)
}

impl TempStore {
    /// A fresh store with the schema of `M`.
    pub async fn open<M: MigratorTrait>() -> Self {
        if over_postgres() {
            return Self::at::<M>(&postgres::shared().schema().await).await;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("test.db");
        let store = Store::open_sqlite("test", path, &SqliteOptions::default()).expect("opens");
        store.migrate::<M>().await.expect("migrates");
        Self { store, folder }
    }

    /// The store of an empty schema of a Postgres server.
    pub async fn at<M: MigratorTrait>(url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open_postgres("test", url, &PostgresOptions::default()).await;
        let store = store.expect("opens");
        store.migrate::<M>().await.expect("migrates");
        Self { store, folder }
    }
}

/// Every event that was written in a store, in the order of their commits.
///
/// # Panics
/// Where the outbox can't be read.
pub async fn events_of(store: &Store) -> Vec<Envelope> {
    let history = async move |tx: &Tx| Outbox::history(tx, 0, 10_000).await;
    let history: Unit<Vec<_>> = store.read(history).await;
    let history = history.expect("the outbox").into_iter();
    history.map(|(_, event)| event).collect()
}

/// What a test does behind a context's back, written for SQLite, in the words of
/// the database that the suites run over.
pub fn tampering(sql: &str) -> String {
    if !over_postgres() {
        return sql.to_owned();
    }
    let sql = sql
        .replace("randomblob(16)", "gen_random_uuid()")
        .replace("uuid_text", "uuid");
    let mut parts = sql.split("x'");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (id, rest) = part.split_once('\'').unwrap_or((part, ""));
        format!("{text}'{id}'::uuid{rest}")
    })
}
