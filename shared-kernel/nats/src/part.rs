//! One part of one stream as one handler wants it, and the consumer at the broker
//! that stands for it, in its generations.

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::stream::{Info, Stream};
use futures::StreamExt;

use crate::{NatsError, NatsOptions, names};

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
    /// new: a broker that dies young reckons the latter again, and later.
    pub(crate) async fn prepare(&self, existing: &[String], last: u64) -> Result<(), NatsError> {
        if self.newest(existing).is_some() {
            return Ok(());
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

    async fn after(&self, newest: u64) -> Result<PullConsumer, NatsError> {
        let name = format!("{}{newest}", self.base);
        let info = self.stream.consumer_info(&name).await;
        let info = info.map_err(NatsError::other)?;
        let fits = info.config.filter_subject == self.filter
            && info.config.ack_wait == self.options.ack_wait
            && info.config.max_ack_pending == self.max_ack_pending();
        if fits && info.delivered.consumer_sequence == 0 {
            let consumer = self.stream.get_consumer(&name).await;
            return consumer.map_err(NatsError::other);
        }
        let from = behind(info.ack_floor.stream_sequence);
        self.make(newest + 1, from).await
    }

    async fn make(&self, generation: u64, from: DeliverPolicy) -> Result<PullConsumer, NatsError> {
        let config = Config {
            durable_name: Some(format!("{}{generation}", self.base)),
            deliver_policy: from,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.options.ack_wait,
            max_deliver: -1,
            filter_subject: self.filter.clone(),
            max_ack_pending: self.max_ack_pending(),
            ..Config::default()
        };
        let made = self.stream.create_consumer(config).await;
        made.map_err(NatsError::other)
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
