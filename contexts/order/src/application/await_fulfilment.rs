//! Waits until an order's fulfilment has settled: it is cancelled, or paid and
//! with a shipment on its way.

use std::time::Duration;

use cleave_store::Unit;
use cleave_vocabulary::{OrderId, Timestamp};

use super::Orders;
use crate::domain::Order;
use crate::live::Attention;
use crate::persistence as rows;

/// How to wait.
pub(crate) struct Wait {
    /// Attention to the order since before it was there: the first look can
    /// wait for news. Without it, the order is looked at first.
    pub(crate) attention: Option<Attention>,
    /// Until then at the most.
    pub(crate) until: Timestamp,
}

impl Orders {
    /// The order once it has settled, or as it is when the time is up; `None`
    /// where there is none.
    pub(crate) async fn await_fulfilment(&self, id: OrderId, wait: Wait) -> Unit<Option<Order>> {
        let mut look_first = wait.attention.is_none();
        let mut attention = wait
            .attention
            .unwrap_or_else(|| self.news.wakeups.attend(id));
        loop {
            if !look_first {
                tokio::select! {
                    () = attention.settled() => {}
                    () = self.clock.sleep_until(wait.until) => {}
                    // Another process may drive it.
                    () = self.clock.sleep(self.settings.follow.poll) => {}
                }
            }
            look_first = false;
            let order = self
                .store
                .read(async move |tx| Ok(rows::find(tx, id).await?))
                .await?;
            let settled = order.as_ref().is_none_or(Order::is_settled);
            if settled || self.clock.now() >= wait.until {
                return Ok(order);
            }
        }
    }

    /// `span` from now, or the caller's deadline less the time to answer.
    pub(crate) fn within(&self, span: Duration, deadline: Option<Timestamp>) -> Timestamp {
        const TO_ANSWER: Duration = Duration::from_millis(250);
        let end = self.clock.now().plus(span);
        deadline.map_or(end, |deadline| end.min(deadline.minus(TO_ANSWER)))
    }
}
