//! Who waits for the end of which saga. Nothing is kept of sagas that nobody
//! waits for, so the number of waiters bounds it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::SagaStatus;

/// The waiters, by what their saga is about.
#[derive(Default)]
pub(crate) struct Settled {
    /// Lets an end pass without a lock while nobody waits.
    waiters: AtomicUsize,
    subjects: Mutex<HashMap<String, watch::Sender<Option<SagaStatus>>>>,
}

/// One waiter; forgotten when dropped.
pub(crate) struct Waiter<'a> {
    settled: &'a Settled,
    subject: String,
    status: watch::Receiver<Option<SagaStatus>>,
}

impl Settled {
    /// Waits for the saga about `subject` from now on.
    pub(crate) fn waiter(&self, subject: &str) -> Waiter<'_> {
        self.waiters.fetch_add(1, Ordering::SeqCst);
        let mut subjects = self.subjects.lock();
        let sender = subjects.entry(subject.to_owned()).or_default();
        Waiter {
            settled: self,
            subject: subject.to_owned(),
            status: sender.subscribe(),
        }
    }

    /// The saga about `subject` has settled.
    pub(crate) fn tell(&self, subject: &str, status: SagaStatus) {
        if self.waiters.load(Ordering::SeqCst) == 0 {
            return;
        }
        if let Some(sender) = self.subjects.lock().get(subject) {
            sender.send_replace(Some(status));
        }
    }
}

impl Waiter<'_> {
    /// Returns with the status once it is told.
    pub(crate) async fn told(&mut self) -> Option<SagaStatus> {
        let told = self.status.wait_for(Option::is_some).await;
        told.ok().and_then(|status| *status)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut subjects = self.settled.subjects.lock();
        if let Some(sender) = subjects.get(&self.subject)
            && sender.receiver_count() <= 1
        {
            subjects.remove(&self.subject);
        }
        self.settled.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}
