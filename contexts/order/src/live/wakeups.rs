//! Wakes whoever waits for news of an order. A wake-up carries no news: those
//! who wake read what was written, so nothing is lost when wake-ups melt
//! together, and no queue can grow.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cleave_vocabulary::OrderId;
use parking_lot::Mutex;
use tokio::sync::watch;

/// Who waits for news of which order. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Wakeups(Arc<Waiting>);

#[derive(Default)]
struct Waiting {
    orders: Mutex<HashMap<OrderId, watch::Sender<Settled>>>,
    /// How many orders are waited for, so that the many commits that nobody
    /// waits for need no lock.
    count: AtomicUsize,
}

/// Whether the order's fulfilment has come to its end.
type Settled = bool;

impl Wakeups {
    /// Begins to wait for news of an order: from now on none is missed.
    pub(crate) fn attend(&self, order: OrderId) -> Attention {
        let mut orders = self.0.orders.lock();
        let news = orders
            .entry(order)
            .or_insert_with(|| watch::Sender::new(false))
            .subscribe();
        self.0.count.store(orders.len(), Ordering::Release);
        Attention {
            news: Some(news),
            order,
            wakeups: self.clone(),
        }
    }

    /// Something was written about the order.
    pub(crate) fn wake(&self, order: OrderId) {
        self.tell(order, |_| {});
    }

    /// Something was written about the order, and its fulfilment is at its end.
    pub(crate) fn wake_settled(&self, order: OrderId) {
        self.tell(order, |settled| *settled = true);
    }

    fn tell(&self, order: OrderId, change: impl FnOnce(&mut Settled)) {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some(news) = self.0.orders.lock().get(&order) {
            news.send_modify(change);
        }
    }
}

/// Someone's attention to one order; dropping it ends it.
pub(crate) struct Attention {
    news: Option<watch::Receiver<Settled>>,
    order: OrderId,
    wakeups: Wakeups,
}

impl Attention {
    /// Returns at the next news since the last call (or since the beginning).
    pub(crate) async fn news(&mut self) {
        if let Some(news) = &mut self.news {
            // The sender lives for as long as anyone is attending.
            let _ = news.changed().await;
        }
    }

    /// Returns once the fulfilment is said to have come to its end.
    pub(crate) async fn settled(&mut self) {
        if let Some(news) = &mut self.news {
            let _ = news.wait_for(|settled| *settled).await;
        }
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        let mut orders = self.wakeups.0.orders.lock();
        // First this receiver, so that the sender's count is of the others.
        self.news = None;
        if orders
            .get(&self.order)
            .is_some_and(watch::Sender::is_closed)
        {
            orders.remove(&self.order);
        }
        self.wakeups.0.count.store(orders.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::{IdSource, UuidV7Ids};
    use futures::FutureExt;

    use super::*;

    fn order() -> OrderId {
        OrderId::from_uuid(UuidV7Ids.uuid())
    }

    #[tokio::test]
    async fn news_between_two_looks_is_not_missed() {
        let (wakeups, order) = (Wakeups::default(), order());
        let mut attention = wakeups.attend(order);
        wakeups.wake(order);
        wakeups.wake(order);
        attention.news().await;
        assert!(attention.news().now_or_never().is_none());
        wakeups.wake(super::tests::order());
        assert!(attention.news().now_or_never().is_none());
    }

    #[tokio::test]
    async fn only_the_end_settles() {
        let (wakeups, order) = (Wakeups::default(), order());
        let mut attention = wakeups.attend(order);
        wakeups.wake(order);
        assert!(attention.settled().now_or_never().is_none());
        wakeups.wake_settled(order);
        wakeups.wake(order);
        assert!(attention.settled().now_or_never().is_some());
    }

    #[tokio::test]
    async fn nothing_is_kept_of_orders_that_nobody_waits_for() {
        let (wakeups, order) = (Wakeups::default(), order());
        wakeups.wake_settled(order);
        let first = wakeups.attend(order);
        let mut second = wakeups.attend(order);
        drop(first);
        wakeups.wake(order);
        assert!(second.news().now_or_never().is_some());
        drop(second);
        assert!(wakeups.0.orders.lock().is_empty());
        assert_eq!(wakeups.0.count.load(Ordering::Acquire), 0);
    }
}
