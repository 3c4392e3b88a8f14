//! The threads that read beside the writer, each over one snapshot at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Receiver;

use super::{Job, SharedConnection};
use crate::{StoreError, Tx};

/// What readers share with the store's handles.
#[derive(Default)]
pub(crate) struct Readers {
    pub(crate) reads: AtomicU64,
    pub(crate) statements: Arc<AtomicU64>,
}

impl Readers {
    /// Answers queries until nobody asks any more.
    pub(crate) fn run(
        &self,
        name: &str,
        connection: &SharedConnection,
        queries: &Receiver<Box<dyn Job>>,
    ) {
        let tx = Tx::new(connection.clone(), Arc::default(), self.statements.clone());
        while let Ok(mut job) = queries.recv() {
            let failure = self.answer(name, connection, &tx, &mut job);
            job.answer(failure);
        }
    }

    fn answer(
        &self,
        name: &str,
        connection: &SharedConnection,
        tx: &Tx,
        job: &mut Box<dyn Job>,
    ) -> Option<StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = connection.run("BEGIN") {
            return Some(error.into());
        }
        tx.begin();
        job.run(tx, name);
        match connection.run("COMMIT") {
            Err(error) if !connection.lost() => {
                drop(connection.run("ROLLBACK"));
                Some(error.into())
            }
            _ => None,
        }
    }
}
