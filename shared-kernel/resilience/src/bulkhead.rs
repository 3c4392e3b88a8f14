//! The bulkhead bounds how many calls are under way, and how many wait, so that
//! one slow provider cannot fill the process with calls that wait for it. Places
//! are given in the order of asking.

use std::sync::atomic::{AtomicUsize, Ordering};

use cleave_vocabulary::{Clock, Failure, FailureKind, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{BulkheadPolicy, time_limit};

/// A bound on concurrency with a bounded queue.
pub struct Bulkhead {
    places: Semaphore,
    concurrency: usize,
    queue: usize,
    waiting: AtomicUsize,
}

/// A call's place; given back when dropped.
pub struct Place<'a> {
    _permit: SemaphorePermit<'a>,
}

impl Bulkhead {
    /// With at least one place.
    pub fn new(policy: &BulkheadPolicy) -> Self {
        let concurrency = policy.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            places: Semaphore::new(concurrency),
            concurrency,
            queue: policy.queue,
            waiting: AtomicUsize::new(0),
        }
    }

    /// A place, where one is free and nobody waits for it.
    pub fn try_enter(&self) -> Option<Place<'_>> {
        let permit = self.places.try_acquire().ok()?;
        Some(Place { _permit: permit })
    }

    /// A place, after a wait that ends with the deadline. Overloaded where as
    /// many wait already as may.
    pub async fn wait(
        &self,
        clock: &dyn Clock,
        deadline: Option<Timestamp>,
    ) -> Result<Place<'_>, Failure> {
        let _waiter = self.join_queue()?;
        let acquired = match deadline {
            Some(at) => time_limit::by(clock, at, self.places.acquire()).await,
            None => Some(self.places.acquire().await),
        };
        match acquired {
            Some(permit) => Ok(Place {
                _permit: permit.expect("the semaphore is never closed"),
            }),
            None => Err(Failure::clean(
                FailureKind::Timeout,
                "the deadline passed while waiting for a place",
            )),
        }
    }

    /// How many places are taken.
    pub fn in_flight(&self) -> usize {
        self.concurrency
            .saturating_sub(self.places.available_permits())
    }

    /// How many wait for a place.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn join_queue(&self) -> Result<Waiter<'_>, Failure> {
        self.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < self.queue).then_some(waiting + 1)
            })
            .map(|_| Waiter(&self.waiting))
            .map_err(|_| Failure::clean(FailureKind::Overloaded, "too many calls wait already"))
    }
}

/// Leaves the queue when dropped: served, given up, or cancelled.
struct Waiter<'a>(&'a AtomicUsize);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cleave_vocabulary::ManualClock;
    use futures::FutureExt;

    use super::*;

    fn bulkhead(concurrency: usize, queue: usize) -> Bulkhead {
        Bulkhead::new(&BulkheadPolicy { concurrency, queue })
    }

    #[tokio::test]
    async fn one_more_than_may_wait_is_overloaded() {
        let clock = ManualClock::default();
        let bulkhead = bulkhead(1, 1);
        let place = bulkhead.try_enter().expect("a place");
        let mut second = Box::pin(bulkhead.wait(&clock, None));
        assert!(second.as_mut().now_or_never().is_none());
        let third = bulkhead.wait(&clock, None).await.err().expect("full");
        assert_eq!(third.kind, FailureKind::Overloaded);
        assert!(!third.outcome_unknown);
        assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (1, 1));
        drop(place);
        assert!(second.await.is_ok());
        assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn a_wait_ends_with_the_deadline() {
        let clock = ManualClock::default();
        let bulkhead = bulkhead(1, 1);
        let _place = bulkhead.try_enter().expect("a place");
        let deadline = clock.now().plus(Duration::from_secs(1));
        let mut second = Box::pin(bulkhead.wait(&clock, Some(deadline)));
        assert!(second.as_mut().now_or_never().is_none());
        clock.advance(Duration::from_secs(1));
        let failure = second.await.err().expect("late");
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert!(!failure.outcome_unknown);
        assert_eq!(bulkhead.waiting(), 0);
    }

    #[tokio::test]
    async fn a_dropped_waiter_leaves_the_queue() {
        let clock = ManualClock::default();
        let bulkhead = bulkhead(1, 1);
        let place = bulkhead.try_enter().expect("a place");
        let mut second = Box::pin(bulkhead.wait(&clock, None));
        assert!(second.as_mut().now_or_never().is_none());
        drop(second);
        assert_eq!(bulkhead.waiting(), 0);
        drop(place);
        assert!(bulkhead.wait(&clock, None).await.is_ok());
    }
}
