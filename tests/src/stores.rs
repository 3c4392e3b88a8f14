//! Throwaway stores: a real database in a temporary folder, fresh for each test.

use cleave_messaging::Outbox;
use cleave_store::{SqliteOptions, Store, Tx, Unit};
use cleave_vocabulary::Envelope;
use sea_orm_migration::MigratorTrait;
use tempfile::TempDir;

/// A store that is migrated and empty, and the folder that goes with it.
pub struct TempStore {
    /// The store.
    pub store: Store,
    /// Removed when dropped.
    pub folder: TempDir,
}

impl TempStore {
    /// A fresh SQLite store with the schema of `M`.
    pub async fn open<M: MigratorTrait>() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("test.db");
        let store = Store::open_sqlite("test", path, &SqliteOptions::default()).expect("opens");
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
