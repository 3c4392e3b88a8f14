//! The threads that read beside the writer, each over one snapshot at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::Receiver;

use super::SharedConnection;
use crate::hub::Hub;
use crate::job::Job;
use crate::{StoreError, Tx};

/// Answers queries until nobody asks any more.
pub(super) fn run(hub: &Hub, connection: &SharedConnection, queries: &Receiver<Box<dyn Job>>) {
    let statements = hub.read_statements.clone();
    let tx = Tx::over_sqlite(connection.clone(), Arc::default(), statements);
    while let Ok(mut job) = queries.recv() {
        hub.reads.fetch_add(1, Ordering::Relaxed);
        let failure = answer(&hub.name, connection, &tx, &mut job);
        job.answer(failure);
    }
}

fn answer(
    store: &str,
    connection: &SharedConnection,
    tx: &Tx,
    job: &mut Box<dyn Job>,
) -> Option<StoreError> {
    if let Err(error) = connection.run("BEGIN") {
        return Some(error.into());
    }
    tx.begin();
    job.run(tx, store);
    match connection.run("COMMIT") {
        Err(error) if !connection.lost() => {
            drop(connection.run("ROLLBACK"));
            Some(error.into())
        }
        _ => None,
    }
}
