//! Tells the world what became of an order: the event goes into the outbox in
//! the unit of work that made it true, and once that has committed, whoever
//! waits in this process is woken.

use std::sync::Arc;

use cleave_messaging::Outbox;
use cleave_store::Tx;
use cleave_vocabulary::{
    CallContext, Clock, Envelope, Event, EventSource, IdSource, OrderId, UserId,
};
use sea_orm::DbErr;

use crate::domain::Status;
use crate::live::{Freshness, Wakeups};

/// Which order it is about, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) order: OrderId,
    pub(crate) user: UserId,
}

/// Tells what became of orders. Cheap to clone.
#[derive(Clone)]
pub(crate) struct News {
    source: EventSource,
    pub(crate) wakeups: Wakeups,
    pub(crate) freshness: Freshness,
}

impl News {
    pub(crate) fn new(clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self {
            freshness: Freshness::new(clock.clone()),
            source: EventSource::new("/contexts/order", clock, ids),
            wakeups: Wakeups::default(),
        }
    }

    /// The event, true from now on.
    pub(crate) fn event<E: Event>(&self, call: &CallContext, event: &E) -> Envelope {
        self.source.event(call, event)
    }

    /// Within the unit of work that made it true: the order has this status now.
    pub(crate) async fn publish(
        &self,
        tx: &Tx,
        event: &Envelope,
        about: About,
        status: Status,
    ) -> Result<(), DbErr> {
        Outbox::append(tx, std::slice::from_ref(event)).await?;
        let (news, id) = (self.clone(), event.id);
        tx.after_commit(move || {
            metrics::counter!("cleave_orders_total", "status" => status.as_str()).increment(1);
            news.freshness.committed(id, about.user);
            if status == Status::Cancelled {
                news.wakeups.wake_settled(about.order);
            } else {
                news.wakeups.wake(about.order);
            }
        });
        Ok(())
    }

    /// Within a unit of work that wrote something else about the order.
    pub(crate) fn wake(&self, tx: &Tx, order: OrderId) {
        let wakeups = self.wakeups.clone();
        tx.after_commit(move || wakeups.wake(order));
    }

    /// Within the unit of work that brought the fulfilment to its end.
    pub(crate) fn wake_settled(&self, tx: &Tx, order: OrderId) {
        let wakeups = self.wakeups.clone();
        tx.after_commit(move || wakeups.wake_settled(order));
    }
}
