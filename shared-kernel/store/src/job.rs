//! A unit of work with its type erased: it can be run (again), and told how
//! its commit went.

use std::any::TypeId;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use tokio::sync::oneshot;

use crate::{StoreError, Tx, Unit, UnitError};

/// A unit of work, waiting to be run and answered.
pub(crate) trait Job: Send {
    /// Runs it to its end over a connection of this thread; true where it wants
    /// to be committed. May be called again: the outcome of the last run counts.
    fn run(&mut self, tx: &Tx, store: &str) -> bool;

    /// The same over a connection to a server.
    fn run_remotely<'a>(&'a mut self, tx: &'a Tx) -> LocalBoxFuture<'a, bool>;

    /// Names all jobs of this code.
    fn kind(&self) -> TypeId;

    /// Tells the caller: its own outcome, or why that could not be committed.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Queued<F, T, R> {
    unit: F,
    outcome: Option<Unit<T, R>>,
    reply: oneshot::Sender<Unit<T, R>>,
}

/// A job from a unit, and where its outcome will come out.
pub(crate) fn job<F, T, R>(unit: F) -> (Box<dyn Job>, oneshot::Receiver<Unit<T, R>>)
where
    F: AsyncFn(&Tx) -> Unit<T, R> + Send + 'static,
    T: Send + 'static,
    R: Send + 'static,
{
    let (reply, outcome) = oneshot::channel();
    (
        Box::new(Queued {
            unit,
            outcome: None,
            reply,
        }),
        outcome,
    )
}

impl<F, T, R> Job for Queued<F, T, R>
where
    F: AsyncFn(&Tx) -> Unit<T, R> + Send + 'static,
    T: Send,
    R: Send,
{
    fn run(&mut self, tx: &Tx, store: &str) -> bool {
        let outcome = catch_unwind(AssertUnwindSafe(|| poll_to_end((self.unit)(tx))));
        let outcome =
            outcome.unwrap_or_else(|panic| Err(StoreError::Panicked(text_of(&*panic)).into()));
        let outcome = match outcome {
            Err(UnitError::Failed(StoreError::Database(_))) if tx.was_full() => {
                Err(StoreError::Full {
                    store: store.to_owned(),
                }
                .into())
            }
            other => other,
        };
        self.outcome.insert(outcome).is_ok()
    }

    fn run_remotely<'a>(&'a mut self, tx: &'a Tx) -> LocalBoxFuture<'a, bool> {
        let Self { unit, outcome, .. } = self;
        Box::pin(async move {
            let run = AssertUnwindSafe(attended(tx, unit(tx)))
                .catch_unwind()
                .await;
            let run =
                run.unwrap_or_else(|panic| Err(StoreError::Panicked(text_of(&*panic)).into()));
            outcome.insert(run).is_ok()
        })
    }

    fn kind(&self) -> TypeId {
        TypeId::of::<F>()
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let outcome = failure.map_or(self.outcome, |failure| Some(Err(failure.into())));
        if let Some(outcome) = outcome {
            // A caller that went away does not change what happened.
            drop(self.reply.send(outcome));
        }
    }
}

/// Every future over a connection of this thread is ready at once, so one poll
/// runs a unit to its end; one that is not ready waits for something else.
fn poll_to_end<T, R>(unit: impl Future<Output = Unit<T, R>>) -> Unit<T, R> {
    match pin!(unit).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(StoreError::Suspended.into()),
    }
}

/// Drives a unit whose statements wait for a server. One that is not ready while
/// none of them is under way waits for something else, and meanwhile would keep
/// its locks and its connection from everybody.
async fn attended<T, R>(tx: &Tx, unit: impl Future<Output = Unit<T, R>>) -> Unit<T, R> {
    let mut unit = pin!(unit);
    std::future::poll_fn(|context| match unit.as_mut().poll(context) {
        Poll::Pending if !tx.is_waiting() => Poll::Ready(Err(StoreError::Suspended.into())),
        other => other,
    })
    .await
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
