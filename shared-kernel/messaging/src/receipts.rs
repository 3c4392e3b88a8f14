//! A receipt for an event that several consumers must settle: it resolves when
//! the last has, and fails when one never will.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

use crate::BusError;

/// What the consumers of one event have left to do.
struct Tally {
    left: AtomicUsize,
    lost: AtomicBool,
    waker: AtomicWaker,
}

/// One consumer's part; dropped unsettled, the receipt fails.
pub(crate) struct Part(Option<Arc<Tally>>);

/// Resolves when every part is settled.
pub(crate) struct Settled(Arc<Tally>);

/// A receipt for `parts` consumers, one part for each.
pub(crate) fn receipt(parts: usize) -> (Settled, impl Iterator<Item = Part>) {
    let tally = Arc::new(Tally {
        left: AtomicUsize::new(parts),
        lost: AtomicBool::new(false),
        waker: AtomicWaker::new(),
    });
    let each = tally.clone();
    let parts = std::iter::repeat_with(move || Part(Some(each.clone()))).take(parts);
    (Settled(tally), parts)
}

impl Part {
    pub(crate) fn settle(mut self) {
        if let Some(tally) = self.0.take() {
            tally.end();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(tally) = self.0.take() {
            tally.lost.store(true, Ordering::Release);
            tally.end();
        }
    }
}

impl Tally {
    fn end(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waker.wake();
        }
    }
}

impl Future for Settled {
    type Output = Result<(), BusError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let tally = &self.0;
        if tally.left.load(Ordering::Acquire) > 0 {
            tally.waker.register(context.waker());
            // The last part may have ended between the look and the registration.
            if tally.left.load(Ordering::Acquire) > 0 {
                return Poll::Pending;
            }
        }
        Poll::Ready(if tally.lost.load(Ordering::Acquire) {
            Err(BusError::Closed)
        } else {
            Ok(())
        })
    }
}
