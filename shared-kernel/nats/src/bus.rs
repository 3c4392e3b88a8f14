//! The adapter itself: what the trait asks for, put together from its parts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream;
use async_trait::async_trait;
use cleave_messaging::{BusError, Delivery, EventBus, LeftBehind, Receipt, Subscription};
use cleave_vocabulary::{Clock, Envelope};
use futures::stream::BoxStream;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::desk::{Desk, Feed, Word};
use crate::leases::Leases;
use crate::part::{Part, families, infos};
use crate::publisher::Publisher;
use crate::reader::Reader;
use crate::register::Register;
use crate::standing::Standing;
use crate::streams::{Made, Streams};
use crate::{NatsError, NatsOptions, left_behind, names};

/// How long the end of the bus waits for what is left to be said.
const FLUSH: Duration = Duration::from_secs(1);

/// The bus over NATS JetStream.
pub struct NatsBus {
    options: NatsOptions,
    jetstream: jetstream::Context,
    clock: Arc<dyn Clock>,
    standing: Standing,
    streams: Arc<Streams>,
    publisher: Publisher,
    leases: Leases,
    register: Register,
    /// By the consumer's name.
    desks: Mutex<HashMap<String, Arc<Desk>>>,
    words: mpsc::UnboundedSender<Word>,
    closed: CancellationToken,
}

impl NatsBus {
    /// Connects, and finds out whether the broker can do what is asked of it.
    /// `instance` names this process among those that share the broker.
    pub async fn open(
        options: NatsOptions,
        instance: String,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, NatsError> {
        let Connection {
            client,
            jetstream,
            standing,
        } = Connection::open(&options).await?;
        let register = Register::open(&jetstream, &options, instance.clone()).await?;
        let leases = Leases::open(&jetstream, &options, instance).await?;
        let streams = Arc::new(Streams::new(jetstream.clone(), options.clone()));
        let (words, heard) = mpsc::unbounded_channel();
        // Ends by itself: when the bus is gone, and all that is in hand is settled.
        let following = standing.clone();
        let telling = client.clone();
        TaskTracker::new().spawn(async move {
            tokio::select! {
                () = pass_on(&telling, &following, heard) => {}
                () = following.follow(&telling) => {}
            }
        });
        Ok(Self {
            publisher: Publisher::new(
                client.clone(),
                jetstream.clone(),
                streams.clone(),
                options.prefix.clone(),
                options.partitions,
            ),
            options,
            jetstream,
            clock,
            standing,
            streams,
            leases,
            register,
            desks: Mutex::default(),
            words,
            closed: CancellationToken::new(),
        })
    }

    fn check_open(&self) -> Result<(), BusError> {
        if self.closed.is_cancelled() {
            return Err(BusError::Closed);
        }
        Ok(())
    }

    /// The desk of a subscription, once whoever had it under this name is gone.
    async fn desk(&self, subscription: &Subscription) -> Result<Arc<Desk>, BusError> {
        let mut desks = self.desks.lock().await;
        self.check_open()?;
        if let Some(old) = desks.get(&subscription.consumer) {
            if !old.stop.is_cancelled() {
                return Err(BusError::Taken(subscription.consumer.clone()));
            }
            old.readers.close();
            old.readers.wait().await;
        }
        let desk = Arc::new(Desk::new(
            subscription.types.clone(),
            self.options.max_in_flight,
            self.clock.clone(),
            self.words.clone(),
            self.closed.child_token(),
        ));
        desks.insert(subscription.consumer.clone(), desk.clone());
        Ok(desk)
    }

    /// What a subscription wants, with a consumer at the broker for each part.
    async fn parts(&self, subscription: &Subscription) -> Result<Vec<Part>, NatsError> {
        self.streams.announce(subscription);
        let parts = self.streams.parts(subscription);
        self.streams.prepare(&parts).await?;
        Ok(parts)
    }
}

#[async_trait]
impl EventBus for NatsBus {
    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Receipt, BusError> {
        self.check_open()?;
        self.publisher.publish(&envelope).await
    }

    async fn announce(&self, subscriptions: &[Subscription]) -> Result<(), BusError> {
        self.check_open()?;
        // All of them before the first stream is made, which opens with what it knows.
        for subscription in subscriptions {
            self.streams.announce(subscription);
        }
        for subscription in subscriptions {
            self.parts(subscription).await?;
        }
        Ok(())
    }

    /// When the family's stream was made.
    async fn incarnation(&self, family: &str) -> Result<Option<String>, BusError> {
        self.check_open()?;
        let stream = self.streams.look(family).await?;
        self.register.keep().await?;
        Ok(Some(Made::of(&stream).to_string()))
    }

    async fn identity(&self) -> Result<Option<String>, BusError> {
        Ok(Some(self.register.bus().await?))
    }

    async fn claim(&self, context: &str, identity: &str) -> Result<(), BusError> {
        self.register.claim(context, identity).await
    }

    /// Several processes may subscribe under one name; they share its parts.
    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<BoxStream<'static, Delivery>, BusError> {
        self.check_open()?;
        let desk = self.desk(&subscription).await?;
        // Dropped where the readers can't be made, it frees the name.
        let feed = Feed(desk.clone());
        for part in self.parts(&subscription).await? {
            let reader = Reader {
                part,
                streams: self.streams.clone(),
                leases: self.leases.clone(),
                standing: self.standing.clone(),
                desk: desk.clone(),
            };
            desk.readers.spawn(reader.run());
        }
        Ok(Box::pin(futures::stream::unfold(feed, |feed| async {
            let delivery = feed.next().await?;
            Some((delivery, feed))
        })))
    }

    /// Gives its parts back to other processes, and says what is left to be said.
    async fn close(&self) {
        self.closed.cancel();
        for (_, desk) in self.desks.lock().await.drain() {
            desk.readers.close();
            desk.readers.wait().await;
        }
        let (said, heard) = oneshot::channel();
        if self.words.send(Word::Flush(said)).is_ok() {
            let _ = heard.await;
        }
    }

    async fn backlog(&self, subscription: &Subscription) -> Result<u64, BusError> {
        let mut backlog = 0;
        for family in families(&subscription.types).into_keys() {
            let Some(stream) = self.streams.find(family).await? else {
                continue;
            };
            let infos = infos(&stream).await?;
            for partition in 0..self.options.partitions {
                let base = names::consumer(&subscription.consumer, partition);
                let newest = infos
                    .iter()
                    .max_by_key(|info| names::generation(&base, &info.name));
                let newest = newest.filter(|info| names::generation(&base, &info.name).is_some());
                backlog += newest.map_or(0, |info| info.num_pending + info.num_ack_pending as u64);
            }
        }
        Ok(backlog)
    }

    async fn left_behind(&self, known: &[Subscription]) -> Result<Vec<LeftBehind>, BusError> {
        let (jetstream, prefix) = (&self.jetstream, &self.options.prefix);
        Ok(left_behind::find(jetstream, prefix, self.options.partitions, known).await?)
    }

    fn health(&self) -> Result<(), String> {
        if self.standing.is_connected() {
            return Ok(());
        }
        Err("the broker is away".to_owned())
    }

    fn kind(&self) -> &'static str {
        "nats"
    }
}

impl Drop for NatsBus {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

/// Tells the broker what has been settled. It outlives the bus by what is still in hand.
async fn pass_on(client: &Client, standing: &Standing, mut words: mpsc::UnboundedReceiver<Word>) {
    while let Some(word) = words.recv().await {
        let (answer, payload) = match word {
            Word::Ack(answer) => (answer, "+ACK"),
            Word::Term(answer) => (answer, "+TERM"),
            Word::Flush(said) => {
                // A broker that is away does not hold up the end; it asks again.
                let _ = tokio::time::timeout(FLUSH, client.flush()).await;
                let _ = said.send(());
                continue;
            }
        };
        if answer.connected != standing.now() {
            continue;
        }
        if let Err(error) = client.publish(answer.subject, payload.into()).await {
            tracing::debug!(%error, "an acknowledgement was not sent; the event comes again");
        }
    }
}
