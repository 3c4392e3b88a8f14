//! One part of one stream as one handler wants it, and the consumer at the broker
//! that stands for it, in its generations.

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::stream::{Info, Stream};
use futures::StreamExt;

use crate::drift::change;
use crate::{NatsError, NatsOptions, limits, names};

/// What one handler wants of one part of a stream.
pub(crate) struct Part {
    pub(crate) stream: Stream<Info>,
    /// The consumer's name but for its generation.
    pub(crate) base: String,
    pub(crate) filter: String,
    pub(crate) options: NatsOptions,
}

impl Part {
    /// Makes the consumer where there is none, so that no event which is
    /// published behind `last` is missed. It begins at a number and not at what is
    /// new: a broker that dies young reckons the latter again, and later. One that
    /// is not as it is wanted now is followed by one that is, before anything more
    /// is published: a handler that wants more types from now on misses none.
    pub(crate) async fn prepare(&self, existing: &[String], last: u64) -> Result<(), NatsError> {
        if let Some(newest) = self.newest(existing) {
            return self.renew(newest).await;
        }
        let Err(error) = self.make(0, behind(last)).await else {
            return Ok(());
        };
        // Another process may have been faster, with another number.
        let made = self.newest(&consumers(&self.stream).await?);
        made.map(drop).ok_or(error)
    }

    /// The consumer to read from: the newest where nobody has read from it, else
    /// one more, from where the newest stands; those before it are deleted.
    pub(crate) async fn begin(&self) -> Result<PullConsumer, NatsError> {
        let names = consumers(&self.stream).await.map_err(NatsError::other)?;
        let consumer = match self.newest(&names) {
            // Somebody deleted it. What is left in the stream has been settled by nobody.
            None => self.make(0, DeliverPolicy::All).await?,
            Some(newest) => self.after(newest).await?,
        };
        let current = &consumer.cached_info().name;
        for name in names.iter().filter(|name| *name != current) {
            if names::generation(&self.base, name).is_some() {
                let deleted = self.stream.delete_consumer(name).await;
                deleted.map_err(NatsError::other)?;
            }
        }
        Ok(consumer)
    }

    /// Makes the next generation where the newest is not as it is wanted.
    async fn renew(&self, newest: u64) -> Result<(), NatsError> {
        let info = self.info(newest).await?;
        let changes = self.changes(&info.config);
        if changes.is_empty() {
            return Ok(());
        }
        tracing::info!(consumer = info.name, changed = %changes.join(", "), "a consumer is followed by one that is up to date");
        let from = behind(info.ack_floor.stream_sequence);
        let Err(error) = self.make(newest + 1, from).await else {
            return Ok(());
        };
        // Another process may have been faster.
        let made = self.newest(&consumers(&self.stream).await?);
        made.filter(|made| *made > newest).map(drop).ok_or(error)
    }

    async fn info(&self, generation: u64) -> Result<consumer::Info, NatsError> {
        let name = format!("{}{generation}", self.base);
        let info = self.stream.consumer_info(&name).await;
        info.map_err(NatsError::other)
    }

    /// How a consumer that exists differs from what is wanted.
    fn changes(&self, has: &consumer::Config) -> Vec<String> {
        let wanted = self.wanted(0, DeliverPolicy::All);
        let changes = [
            change("filter", &has.filter_subject, &wanted.filter_subject),
            change("ack_policy", &has.ack_policy, &wanted.ack_policy),
            change("ack_wait", &has.ack_wait, &wanted.ack_wait),
            change("max_deliver", &has.max_deliver, &wanted.max_deliver),
            change(
                "max_ack_pending",
                &has.max_ack_pending,
                &wanted.max_ack_pending,
            ),
            change(
                "inactive_threshold",
                &has.inactive_threshold,
                &wanted.inactive_threshold,
            ),
            change("replicas", &has.num_replicas, &wanted.num_replicas),
            change("headers_only", &has.headers_only, &wanted.headers_only),
            change("backoff", &has.backoff, &wanted.backoff),
        ];
        changes.into_iter().flatten().collect()
    }

    async fn after(&self, newest: u64) -> Result<PullConsumer, NatsError> {
        let info = self.info(newest).await?;
        let fits = self.changes(&info.config).is_empty();
        if fits && info.delivered.consumer_sequence == 0 {
            let consumer = self.stream.get_consumer(&info.name).await;
            return consumer.map_err(NatsError::other);
        }
        let from = behind(info.ack_floor.stream_sequence);
        self.make(newest + 1, from).await
    }

    async fn make(&self, generation: u64, from: DeliverPolicy) -> Result<PullConsumer, NatsError> {
        let name = format!("{}{generation}", self.base);
        let made = self
            .stream
            .create_consumer(self.wanted(generation, from))
            .await;
        made.map_err(|error| {
            let stream = &self.stream.cached_info().config.name;
            limits::of_consumer(stream, &name, &error)
        })
    }

    fn wanted(&self, generation: u64, from: DeliverPolicy) -> Config {
        Config {
            durable_name: Some(format!("{}{generation}", self.base)),
            deliver_policy: from,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.options.ack_wait,
            max_deliver: -1,
            filter_subject: self.filter.clone(),
            max_ack_pending: self.max_ack_pending(),
            ..Config::default()
        }
    }

    fn max_ack_pending(&self) -> i64 {
        i64::try_from(self.options.max_in_flight).unwrap_or(i64::MAX)
    }

    fn newest(&self, names: &[String]) -> Option<u64> {
        let generations = names.iter().map(|name| names::generation(&self.base, name));
        generations.flatten().max()
    }
}

fn behind(sequence: u64) -> DeliverPolicy {
    DeliverPolicy::ByStartSequence {
        start_sequence: sequence + 1,
    }
}

/// The names of a stream's consumers.
pub(crate) async fn consumers(stream: &Stream<Info>) -> Result<Vec<String>, NatsError> {
    let names: Vec<_> = stream.consumer_names().collect().await;
    let names: Result<_, _> = names.into_iter().collect();
    names.map_err(NatsError::other)
}
