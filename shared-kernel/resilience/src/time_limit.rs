//! The time limit: whoever waits for an answer stops waiting at a moment. The
//! timer is made only when the answer is not there at the first look, because
//! most local answers are.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use cleave_vocabulary::{Clock, Timestamp};

/// What `work` gives, or `None` once the clock shows `at` before that. The work
/// is dropped then; whether it had an effect is not known.
pub async fn by<T>(clock: &dyn Clock, at: Timestamp, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut timer = None;
    poll_fn(|task| {
        if let Poll::Ready(value) = work.as_mut().poll(task) {
            return Poll::Ready(Some(value));
        }
        let timer = timer.get_or_insert_with(|| clock.sleep_until(at));
        timer.as_mut().poll(task).map(|()| None)
    })
    .await
}
