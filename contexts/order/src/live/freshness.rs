//! Lets people read their own writes from a read model that events feed. It
//! remembers, for a moment and within a bound, which events this process has
//! committed and its read model has not seen; a list waits for those of its
//! reader, and not for long. Where another process feeds the read model, its
//! lists are as fresh as the bus makes them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cleave_vocabulary::{Clock, EventId, Timestamp, UserId};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Events remembered at the most; beyond them lists no longer wait.
const BOUND: usize = 65_536;

/// An event not seen for so long is seen elsewhere, or is parked: nobody waits for it.
const FORGET_AFTER: Duration = Duration::from_secs(2);

/// Which events the read model has yet to see. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Freshness(Arc<Unseen>);

struct Unseen {
    events: Mutex<HashMap<EventId, (UserId, Timestamp)>>,
    seen: Notify,
    clock: Arc<dyn Clock>,
}

impl Freshness {
    /// With nothing unseen.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Unseen {
            events: Mutex::default(),
            seen: Notify::new(),
            clock,
        }))
    }

    /// An event about an order of `user` was committed.
    pub(crate) fn committed(&self, event: EventId, user: UserId) {
        let now = self.0.clock.now();
        let mut events = self.0.events.lock();
        if events.len() >= BOUND {
            events.retain(|_, (_, at)| now.since(*at) < FORGET_AFTER);
            if events.len() >= BOUND {
                return;
            }
        }
        events.insert(event, (user, now));
    }

    /// The read model has seen it.
    pub(crate) fn seen(&self, event: EventId) {
        if self.0.events.lock().remove(&event).is_some() {
            self.0.seen.notify_waiters();
        }
    }

    /// Returns once the read model has seen all that was committed so far about
    /// the orders of `user` (of anyone, without one), or after `limit`.
    pub(crate) async fn caught_up(&self, user: Option<UserId>, limit: Duration) {
        let mut unseen = self.unseen(user);
        if unseen.is_empty() || limit.is_zero() {
            return;
        }
        let wait = async {
            loop {
                let news = self.0.seen.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                self.drop_seen(&mut unseen);
                if unseen.is_empty() {
                    return;
                }
                news.await;
            }
        };
        tokio::select! {
            () = wait => {}
            () = self.0.clock.sleep(limit) => {}
        }
    }

    fn unseen(&self, user: Option<UserId>) -> Vec<EventId> {
        let now = self.0.clock.now();
        let mut events = self.0.events.lock();
        events.retain(|_, (_, at)| now.since(*at) < FORGET_AFTER);
        let wanted = events
            .iter()
            .filter(|(_, (of, _))| user.is_none_or(|user| user == *of));
        wanted.map(|(event, _)| *event).collect()
    }

    fn drop_seen(&self, unseen: &mut Vec<EventId>) {
        let events = self.0.events.lock();
        unseen.retain(|event| events.contains_key(event));
    }
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::{Id, IdSource, ManualClock, UuidV7Ids};
    use futures::FutureExt;

    use super::*;

    fn id<K>() -> Id<K> {
        Id::from_uuid(UuidV7Ids.uuid())
    }

    #[tokio::test]
    async fn a_list_waits_for_its_readers_own_events_alone() {
        let freshness = Freshness::new(Arc::new(ManualClock::default()));
        let (mine, other, event) = (id(), id(), id());
        freshness.committed(event, mine);
        let limit = Duration::from_secs(1);
        assert!(
            freshness
                .caught_up(Some(other), limit)
                .now_or_never()
                .is_some()
        );
        assert!(freshness.caught_up(None, limit).now_or_never().is_none());
        let waiting = freshness.caught_up(Some(mine), limit);
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        // What comes later is not waited for.
        freshness.committed(id(), mine);
        freshness.seen(event);
        waiting.await;
    }

    #[tokio::test]
    async fn it_waits_no_longer_than_it_is_told() {
        let clock = ManualClock::default();
        let freshness = Freshness::new(Arc::new(clock.clone()));
        freshness.committed(id(), id());
        let limit = Duration::from_millis(500);
        let waiting = freshness.caught_up(None, limit);
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        clock.advance(limit);
        waiting.await;
    }

    #[tokio::test]
    async fn what_nobody_here_sees_is_forgotten() {
        let clock = ManualClock::default();
        let freshness = Freshness::new(Arc::new(clock.clone()));
        freshness.committed(id(), id());
        clock.advance(FORGET_AFTER);
        let limit = Duration::from_secs(1);
        assert!(freshness.caught_up(None, limit).now_or_never().is_some());
        assert!(freshness.0.events.lock().is_empty());
    }

    #[tokio::test]
    async fn it_remembers_no_more_than_its_bound() {
        let freshness = Freshness::new(Arc::new(ManualClock::default()));
        let user = id();
        for _ in 0..=BOUND {
            freshness.committed(id(), user);
        }
        assert_eq!(freshness.0.events.lock().len(), BOUND);
    }
}
