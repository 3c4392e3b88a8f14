//! One handler's work, as events of many keys arrive. The bus hands over one
//! event of a key at a time and no other until it is settled, so what a lane has
//! in hand is always of different keys, and an event that waits for its next
//! attempt holds back its own key alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use cleave_vocabulary::{Envelope, Timestamp};
use futures::future::join_all;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Setback, Together};
use crate::{Delivery, Settle, sql};

/// The lane of one handler.
pub(super) struct Lane {
    desk: Arc<Desk>,
    deliveries: BoxStream<'static, Delivery>,
    /// Events that wait for their next attempt, by its time.
    waiting: BTreeMap<(Timestamp, u64), InHand>,
    waited: u64,
}

/// An event in hand.
struct InHand {
    delivery: Delivery,
    /// Attempts that failed.
    failures: u32,
    /// How often it had to wait for the store.
    waits: u32,
}

impl InHand {
    fn new(delivery: Delivery) -> Self {
        Self {
            delivery,
            failures: 0,
            waits: 0,
        }
    }

    fn event(&self) -> Arc<Envelope> {
        self.delivery.envelope.clone()
    }

    fn done(self) {
        self.delivery.settle(Settle::Ack);
    }
}

impl Lane {
    pub(super) fn new(desk: Arc<Desk>, deliveries: BoxStream<'static, Delivery>) -> Self {
        Self {
            desk,
            deliveries,
            waiting: BTreeMap::new(),
            waited: 0,
        }
    }

    /// Handles events until `stop` or the end of the stream. What then waits for
    /// another attempt goes back to the bus.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        self.desk.look_for_parked().await;
        while let Some(Some(batch)) = stop.run_until_cancelled(self.gather()).await {
            self.work(batch).await;
        }
    }

    /// Waits for something to do and takes what there is; none at the stream's end.
    async fn gather(&mut self) -> Option<Vec<InHand>> {
        let mut batch = Vec::new();
        loop {
            let ended = self.take_ready(&mut batch);
            if !batch.is_empty() {
                return Some(batch);
            }
            if ended {
                return None;
            }
            let due = self.waiting.first_key_value().map(|((at, _), _)| *at);
            tokio::select! {
                delivery = self.deliveries.next() => batch.push(InHand::new(delivery?)),
                () = self.desk.clock.sleep_until(due.unwrap_or(Timestamp::EPOCH)), if due.is_some() => {}
            }
        }
    }

    /// Fills the batch without waiting: first with what is due again. Whether
    /// the stream has ended.
    fn take_ready(&mut self, batch: &mut Vec<InHand>) -> bool {
        let limit = self.desk.options.concurrency.clamp(1, sql::ROWS);
        let now = self.desk.clock.now();
        while batch.len() < limit {
            let first = self.waiting.first_entry();
            match first.filter(|first| first.key().0 <= now) {
                Some(due) => batch.push(due.remove()),
                None => break,
            }
        }
        while batch.len() < limit {
            match self.deliveries.next().now_or_never() {
                Some(Some(delivery)) => batch.push(InHand::new(delivery)),
                Some(None) => return true,
                None => break,
            }
        }
        false
    }

    /// Works on a batch until each of its events is settled or waits.
    async fn work(&mut self, batch: Vec<InHand>) {
        // What failed before is likely to fail again, and would take the others with it.
        let (fresh, suspect): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|in_hand| in_hand.failures == 0);
        let apart = self.work_together(fresh).await;
        let desk = self.desk.clone();
        let each = apart.into_iter().chain(suspect);
        let outcomes = join_all(each.map(|in_hand| work_alone(&desk, in_hand))).await;
        for (wait_until, in_hand) in outcomes.into_iter().flatten() {
            self.wait(in_hand, wait_until);
        }
    }

    /// Handles many in one unit; gives back those that need one each.
    async fn work_together(&mut self, batch: Vec<InHand>) -> Vec<InHand> {
        if batch.len() < 2 {
            return batch;
        }
        let events = batch.iter().map(InHand::event).collect();
        match self.desk.take_together(events).await {
            Ok(()) => batch.into_iter().for_each(InHand::done),
            Err(Together::Apart) => return batch,
            Err(Together::Store) => {
                for in_hand in batch {
                    let (until, in_hand) = wait_for_store(&self.desk, in_hand);
                    self.wait(in_hand, until);
                }
            }
        }
        Vec::new()
    }

    fn wait(&mut self, in_hand: InHand, until: Timestamp) {
        self.waited += 1;
        self.waiting.insert((until, self.waited), in_hand);
    }
}

/// Handles one event in its own unit. What comes back waits until then.
async fn work_alone(desk: &Arc<Desk>, mut in_hand: InHand) -> Option<(Timestamp, InHand)> {
    let (reason, last) = match desk.take(in_hand.event()).await {
        Ok(()) => {
            in_hand.done();
            return None;
        }
        Err(Setback::Store) => return Some(wait_for_store(desk, in_hand)),
        Err(Setback::Poison(reason)) => (reason, true),
        Err(Setback::Failed(reason)) => (reason, false),
    };
    in_hand.failures += 1;
    if !last && in_hand.failures < desk.options.attempts {
        let wait = desk.options.waits().after(in_hand.failures);
        return Some((desk.clock.now().plus(wait), in_hand));
    }
    let buried = desk.bury(in_hand.event(), reason, in_hand.failures).await;
    if buried.is_err() {
        return Some(wait_for_store(desk, in_hand));
    }
    in_hand.delivery.settle(Settle::GiveUp);
    None
}

fn wait_for_store(desk: &Desk, mut in_hand: InHand) -> (Timestamp, InHand) {
    in_hand.waits += 1;
    let wait = desk.options.waits().after(in_hand.waits);
    (desk.clock.now().plus(wait), in_hand)
}
