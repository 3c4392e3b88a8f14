//! The adapter itself: what the trait asks for, put together from its parts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream;
use async_trait::async_trait;
use cleave_messaging::{BusError, Delivery, EventBus, LeftBehind, Receipt, Subscription};
use cleave_vocabulary::{Clock, Envelope};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::desk::{Desk, Feed, Word};
use crate::leases::Leases;
use crate::part::{Part, consumers};
use crate::publisher::Publisher;
use crate::reader::Reader;
use crate::standing::Standing;
use crate::streams::Streams;
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

    /// What a subscription wants: each part of each stream, with a consumer at the
    /// broker, and the stream's place among them.
    async fn parts(&self, subscription: &Subscription) -> Result<Vec<(usize, Part)>, NatsError> {
        let mut parts = Vec::new();
        let families = families(&subscription.types);
        for (number, (family, kinds)) in families.into_iter().enumerate() {
            let stream = self.streams.of(family).await?;
            let existing = consumers(&stream).await?;
            let info = stream.get_info().await.map_err(NatsError::other)?;
            for partition in 0..self.options.partitions {
                let part = Part {
                    stream: stream.clone(),
                    base: names::consumer(&subscription.consumer, partition),
                    filter: names::filter(&self.options.prefix, family, partition, &kinds),
                    options: self.options.clone(),
                };
                part.prepare(&existing, info.state.last_sequence).await?;
                parts.push((number, part));
            }
        }
        Ok(parts)
    }
}

/// Types by their family.
fn families(types: &[String]) -> BTreeMap<&str, Vec<String>> {
    let mut families: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for kind in types {
        let kinds = families.entry(names::family(kind)).or_default();
        kinds.push(kind.clone());
    }
    families
}

#[async_trait]
impl EventBus for NatsBus {
    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Receipt, BusError> {
        self.check_open()?;
        self.publisher.publish(&envelope).await
    }

    async fn announce(&self, subscription: &Subscription) -> Result<(), BusError> {
        self.check_open()?;
        self.parts(subscription).await?;
        Ok(())
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
        for (number, part) in self.parts(&subscription).await? {
            let reader = Reader {
                part,
                number,
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
            let infos: Vec<_> = stream.consumers().collect().await;
            let infos: Result<Vec<_>, _> = infos.into_iter().collect();
            let infos = infos.map_err(NatsError::other)?;
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
