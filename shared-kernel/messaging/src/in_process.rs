//! The bus within one process: a bounded queue for each consumer, nothing kept
//! beyond the process (the outbox and its relay keep it). A full queue makes
//! publishers wait, so that a slow handler slows the relays and never grows
//! memory. There is no broadcast channel: a slow reader must not lose events.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use cleave_vocabulary::{Clock, Envelope, Timestamp};
use futures::stream::BoxStream;
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};

use crate::keyed_queue::{KeyedQueue, Queued, Taken};
use crate::receipts::{Part, receipt};
use crate::{BusError, Delivery, EventBus, Receipt, Settle, Subscription};

/// The settings of `bus.in_process`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InProcessOptions {
    /// Events that one consumer may have, handed over or waiting, before it has
    /// settled them; a full queue slows the relay.
    pub queue: usize,
}

impl Default for InProcessOptions {
    fn default() -> Self {
        Self { queue: 1024 }
    }
}

impl InProcessOptions {
    /// What is wrong with them, by the name of the setting.
    pub fn validate(&self) -> Result<(), String> {
        if !(1..=1_000_000).contains(&self.queue) {
            return Err("bus.in_process.queue must be 1 to 1000000".to_owned());
        }
        Ok(())
    }
}

/// The in-process adapter.
pub struct InProcessBus {
    clock: Arc<dyn Clock>,
    room: usize,
    routes: RwLock<Routes>,
}

#[derive(Default)]
struct Routes {
    by_consumer: HashMap<String, Arc<Queue>>,
    by_type: HashMap<String, Arc<[Arc<Queue>]>>,
    closed: bool,
}

impl InProcessBus {
    /// An empty bus.
    pub fn new(options: &InProcessOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            room: options.queue.max(1),
            routes: RwLock::default(),
        }
    }
}

#[async_trait]
impl EventBus for InProcessBus {
    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Receipt, BusError> {
        let Some(queues) = self.routes.read().of(&envelope.kind)? else {
            return Ok(Box::pin(std::future::ready(Ok(()))));
        };
        let (settled, parts) = receipt(queues.len());
        for (queue, part) in queues.iter().zip(parts) {
            queue.push(envelope.clone(), part).await?;
        }
        Ok(Box::pin(settled))
    }

    /// A consumer's queue outlives its stream: who subscribes again under the
    /// name goes on where the stream before ended.
    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<BoxStream<'static, Delivery>, BusError> {
        let queue = self.routes.write().attach(subscription, self.room)?;
        let feed = Feed {
            queue,
            clock: self.clock.clone(),
        };
        Ok(Box::pin(futures::stream::unfold(feed, |feed| async {
            let delivery = feed.next().await?;
            Some((delivery, feed))
        })))
    }

    async fn close(&self) {
        let queues: Vec<_> = {
            let mut routes = self.routes.write();
            routes.closed = true;
            routes.by_consumer.values().cloned().collect()
        };
        for queue in queues {
            queue.close();
        }
    }

    fn kind(&self) -> &'static str {
        "in_process"
    }
}

impl Routes {
    fn of(&self, kind: &str) -> Result<Option<Arc<[Arc<Queue>]>>, BusError> {
        if self.closed {
            return Err(BusError::Closed);
        }
        Ok(self.by_type.get(kind).cloned())
    }

    fn attach(&mut self, wanted: Subscription, room: usize) -> Result<Arc<Queue>, BusError> {
        if self.closed {
            return Err(BusError::Closed);
        }
        let queue = self
            .by_consumer
            .entry(wanted.consumer.clone())
            .or_insert_with(|| Arc::new(Queue::new(room)))
            .clone();
        if std::mem::replace(&mut queue.inner.lock().attached, true) {
            return Err(BusError::Taken(wanted.consumer));
        }
        for queues in self.by_type.values_mut() {
            let others = queues.iter().filter(|other| !Arc::ptr_eq(other, &queue));
            *queues = others.cloned().collect();
        }
        for kind in wanted.types {
            let queues = self.by_type.entry(kind).or_default();
            *queues = queues.iter().chain([&queue]).cloned().collect();
        }
        self.by_type.retain(|_, queues| !queues.is_empty());
        Ok(queue)
    }
}

/// The events of one consumer.
struct Queue {
    /// A permit for each event that may still come in.
    room: Semaphore,
    inner: Mutex<Inner>,
    /// Wakes the one stream.
    wake: Notify,
}

#[derive(Default)]
struct Inner {
    events: KeyedQueue<Part>,
    attached: bool,
    closed: bool,
}

impl Queue {
    fn new(room: usize) -> Self {
        Self {
            room: Semaphore::new(room),
            inner: Mutex::default(),
            wake: Notify::new(),
        }
    }

    async fn push(&self, envelope: Arc<Envelope>, token: Part) -> Result<(), BusError> {
        let permit = self.room.acquire().await.map_err(|_| BusError::Closed)?;
        // Given back when the event is settled.
        permit.forget();
        let event = Queued {
            envelope,
            attempt: 1,
            token,
        };
        let ready = {
            let mut inner = self.inner.lock();
            if inner.closed {
                return Err(BusError::Closed);
            }
            inner.events.push(event)
        };
        if ready {
            self.wake.notify_one();
        }
        Ok(())
    }

    fn settle(&self, event: Queued<Part>, how: Settle, clock: &dyn Clock) {
        let wake = match how {
            Settle::Ack | Settle::GiveUp => {
                let next = self.inner.lock().events.done(&event.envelope.subject);
                event.token.settle();
                self.room.add_permits(1);
                next
            }
            Settle::Later(wait) => {
                let again = Queued {
                    attempt: event.attempt.saturating_add(1),
                    ..event
                };
                self.put_back(again, clock.now().plus(wait))
            }
        };
        if wake {
            self.wake.notify_one();
        }
    }

    /// Whether there is anyone to put it back for; else its receipt fails.
    fn put_back(&self, event: Queued<Part>, at: Timestamp) -> bool {
        let mut inner = self.inner.lock();
        if inner.closed {
            return false;
        }
        inner.events.put_back(event, at);
        true
    }

    fn close(&self) {
        let unsettled = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            inner.events.clear()
        };
        drop(unsettled);
        self.room.close();
        self.wake.notify_one();
    }
}

/// The reading end of a queue; there is one at a time.
struct Feed {
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
}

impl Feed {
    /// The next delivery, as soon as there is one; none once the bus is closed.
    async fn next(&self) -> Option<Delivery> {
        loop {
            let taken = {
                let mut inner = self.queue.inner.lock();
                if inner.closed {
                    return None;
                }
                inner.events.take(self.clock.now())
            };
            match taken {
                Taken::Event(event) => return Some(self.delivery(event)),
                Taken::Nothing => self.queue.wake.notified().await,
                Taken::Until(due) => tokio::select! {
                    () = self.queue.wake.notified() => {}
                    () = self.clock.sleep_until(due) => {}
                },
            }
        }
    }

    fn delivery(&self, event: Queued<Part>) -> Delivery {
        let (queue, clock) = (self.queue.clone(), self.clock.clone());
        Delivery::new(event.envelope.clone(), event.attempt, move |how| {
            queue.settle(event, how, &*clock);
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.queue.inner.lock().attached = false;
    }
}
