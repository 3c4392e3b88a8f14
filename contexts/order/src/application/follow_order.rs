//! An order's timeline, live. A follower holds its place in the three sources
//! and reads what lies behind it whenever it is woken, so that nothing is ever
//! queued for it, and so that it goes on exactly where an earlier one stopped.

use std::collections::VecDeque;
use std::sync::Arc;

use cleave_store::{StoreError, Unit, UnitError};
use cleave_vocabulary::{OrderId, Timestamp};
use cleave_web::Caller;
use futures::Stream;
use tokio::sync::OwnedSemaphorePermit;

use super::{Orders, story};
use crate::domain::timeline::{Cursor, Sources, Told, as_it_became_known};
use crate::live::Attention;
use crate::persistence as rows;

/// How following begins.
pub(crate) enum Followed<S> {
    /// The story from there on, until the order's end.
    Live(S),
    /// The story was at its end at that place already.
    Over,
}

/// Why an order is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FollowRefusal {
    /// There is no such order, or it is somebody else's.
    NotFound,
    /// Too many follow already.
    Crowded,
}

/// What a look at the order found.
struct Look {
    sources: Sources,
    /// When it became final, if it is.
    ended: Option<Timestamp>,
}

impl Orders {
    /// Follows an order from `place` on (from the beginning, without one).
    pub(crate) async fn follow(
        self: &Arc<Self>,
        caller: &Caller,
        order: OrderId,
        place: Option<Cursor>,
    ) -> Unit<Followed<impl Stream<Item = Told> + Send + 'static>, FollowRefusal> {
        let seat = self.streams.clone().try_acquire_owned();
        let seat = seat.map_err(|_| UnitError::Refused(FollowRefusal::Crowded))?;
        let found = self.find(caller, order).await.map_err(never_refused)?;
        if found.is_none() {
            return Err(UnitError::Refused(FollowRefusal::NotFound));
        }
        let mut follower = Follower {
            attention: self.news.wakeups.attend(order),
            desk: self.clone(),
            order,
            place: place.unwrap_or_default(),
            ahead: VecDeque::new(),
            _seat: seat,
        };
        if place.is_some() && follower.is_over().await? {
            return Ok(Followed::Over);
        }
        Ok(Followed::Live(futures::stream::unfold(
            follower,
            |mut follower| async move { Some((follower.next().await?, follower)) },
        )))
    }

    async fn look(&self, id: OrderId, place: Cursor) -> Unit<Look> {
        self.store
            .read(async move |tx| {
                let order = rows::find(tx, id).await?;
                let ended = order.filter(|order| order.status.is_final());
                Ok(Look {
                    sources: story::sources_behind(tx, id, place).await?,
                    ended: ended.map(|order| order.updated_at),
                })
            })
            .await
    }
}

fn never_refused<R>(error: UnitError<std::convert::Infallible>) -> UnitError<R> {
    error.map_refusal(|never| match never {})
}

struct Follower {
    desk: Arc<Orders>,
    order: OrderId,
    attention: Attention,
    /// Behind the last item that was read.
    place: Cursor,
    /// Read, and not told yet: what one look found.
    ahead: VecDeque<Told>,
    _seat: OwnedSemaphorePermit,
}

impl Follower {
    /// The next item; `None` at the end of the story, or of the process.
    async fn next(&mut self) -> Option<Told> {
        loop {
            if self.desk.closing.is_cancelled() {
                return None;
            }
            if let Some(told) = self.ahead.pop_front() {
                return Some(told);
            }
            match self.read().await {
                Ok(ended) if self.ahead.is_empty() => self.wait(ended).await?,
                Ok(_) => {}
                Err(error) => {
                    // The client comes back with its place, and gets the rest.
                    tracing::warn!(order = %self.order, %error, "a live timeline was cut short");
                    return None;
                }
            }
        }
    }

    /// Whether there is nothing behind the place, and nothing will be.
    async fn is_over<R>(&mut self) -> Unit<bool, R> {
        let ended = self.read().await?;
        Ok(self.ahead.is_empty() && ended.is_some_and(|at| at <= self.desk.clock.now()))
    }

    /// Reads what lies behind the place; when the story ends, if it does.
    async fn read(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let look = self.desk.look(self.order, self.place).await;
        let Look { sources, ended } = look.map_err(UnitError::into_store_error)?;
        self.ahead = as_it_became_known(self.place, sources).into();
        if let Some(last) = self.ahead.back() {
            self.place = last.place;
        }
        Ok(ended.map(|at| at.plus(self.desk.settings.follow.linger)))
    }

    /// Waits for news; `None` where there will be none.
    async fn wait(&mut self, ended: Option<Timestamp>) -> Option<()> {
        let clock = self.desk.clock.clone();
        let look_again = clock.now().plus(self.desk.settings.follow.poll);
        if ended.is_some_and(|at| at <= clock.now()) {
            return None;
        }
        tokio::select! {
            () = self.desk.closing.cancelled() => None,
            () = self.attention.news() => Some(()),
            () = clock.sleep_until(ended.map_or(look_again, |at| at.min(look_again))) => Some(()),
        }
    }
}
