//! One part of one stream as one handler wants it, and the consumer at the broker
//! that stands for it, in its generations.

use std::collections::BTreeMap;

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::{Info, Stream};
use cleave_messaging::{Subscription, family};
use futures::TryStreamExt;

use crate::drift::change;
use crate::dropped::{self, Dropped, Server};
use crate::streams::Made;
use crate::{NatsError, NatsOptions, limits, names};

/// How often a consumer is looked for that others replace meanwhile.
const LOOKS: usize = 20;

/// What one handler wants of one part of a stream.
pub(crate) struct Part {
    /// Whose stream it is a part of.
    pub(crate) family: String,
    /// The stream's place among the subscription's.
    pub(crate) number: usize,
    /// The consumer's name but for its generation.
    pub(crate) base: String,
    pub(crate) filter: String,
    pub(crate) options: NatsOptions,
    server: Server,
}

/// Why reading can't begin.
pub(crate) enum NotBegun {
    /// What comes next is missing.
    Dropped(Dropped),
    Failed(NatsError),
}

impl From<NatsError> for NotBegun {
    fn from(error: NatsError) -> Self {
        Self::Failed(error)
    }
}

/// Types by their family.
pub(crate) fn families(types: &[String]) -> BTreeMap<&str, Vec<String>> {
    let mut families: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for kind in types {
        families.entry(family(kind)).or_default().push(kind.clone());
    }
    families
}

impl Part {
    /// What a subscription wants, those of one stream beside each other.
    pub(crate) fn of(
        subscription: &Subscription,
        options: &NatsOptions,
        server: &Server,
    ) -> Vec<Self> {
        let mut parts = Vec::new();
        for (number, (family, kinds)) in families(&subscription.types).iter().enumerate() {
            parts.extend((0..options.partitions).map(|partition| Self {
                family: (*family).to_owned(),
                number,
                base: names::consumer(&subscription.consumer, partition),
                filter: names::filter(&options.prefix, family, partition, kinds),
                options: options.clone(),
                server: server.clone(),
            }));
        }
        parts
    }

    /// Makes the consumer where there is none, so that no event which is
    /// published behind `last` is missed. It begins at a number and not at what is
    /// new: a broker that dies young reckons the latter again, and later. One that
    /// is not as it is wanted now is followed by one that is, before anything more
    /// is published: a handler that wants more types from now on misses none.
    pub(crate) async fn prepare(
        &self,
        stream: &Stream<Info>,
        existing: &[String],
        last: u64,
    ) -> Result<(), NatsError> {
        if self.bring_up_to_date(stream, existing).await? {
            return Ok(());
        }
        // Whoever else makes it at this moment gives it the same name.
        let first = Made::of(stream).generation();
        let Err(error) = self.make(stream, first, at(last + 1)).await else {
            return Ok(());
        };
        // Another process may have been faster, with another number.
        let made = self.newest(&consumers(stream).await?);
        made.map(drop).ok_or(error)
    }

    /// The consumer to read from: the newest where nobody has read from it yet, else
    /// one more, from where the newest stands; those before it are deleted.
    /// `read` says how far this reader has come before.
    pub(crate) async fn begin(
        &self,
        stream: &Stream<Info>,
        read: Option<u64>,
    ) -> Result<PullConsumer, NotBegun> {
        let names = consumers(stream).await?;
        let consumer = match self.newest(&names) {
            // Somebody deleted it. What is left in the stream has been settled by nobody.
            None => {
                self.tell_of_loss(stream);
                let generation = unused(stream);
                self.make(stream, generation, DeliverPolicy::All).await?
            }
            Some(newest) => {
                let info = self.info(stream, newest).await?;
                let info = info.ok_or_else(|| self.gone(newest))?;
                if let Some(dropped) = self.dropped(stream, &info, read) {
                    return Err(NotBegun::Dropped(dropped));
                }
                self.after(stream, newest, &info).await?
            }
        };
        let current = &consumer.cached_info().name;
        for name in names.iter().filter(|name| *name != current) {
            if names::generation(&self.base, name).is_some() {
                let deleted = stream.delete_consumer(name).await;
                deleted.map_err(NatsError::other)?;
            }
        }
        Ok(consumer)
    }

    fn tell_of_loss(&self, stream: &Stream<Info>) {
        tracing::error!(
            consumer = self.base,
            stream = stream.cached_info().config.name,
            "the consumer was deleted, and what was published since is lost to its handler; delete the stream too, and relays publish again what inboxes can tell from what was handled"
        );
    }

    /// Renews the newest of those that exist; false where none does.
    async fn bring_up_to_date(
        &self,
        stream: &Stream<Info>,
        existing: &[String],
    ) -> Result<bool, NatsError> {
        let mut newest = self.newest(existing);
        for _ in 0..LOOKS {
            let Some(generation) = newest else {
                return Ok(false);
            };
            if self.renew(stream, generation).await? {
                return Ok(true);
            }
            // Who reads has made the next and deleted it, since it was listed.
            newest = self.newest(&consumers(stream).await?);
        }
        newest.map_or(Ok(false), |generation| Err(self.gone(generation)))
    }

    /// Makes the next generation where the newest is not as it is wanted. False where
    /// that one is gone.
    async fn renew(&self, stream: &Stream<Info>, newest: u64) -> Result<bool, NatsError> {
        let Some(info) = self.info(stream, newest).await? else {
            return Ok(false);
        };
        let changes = self.changes(&info.config);
        if changes.is_empty() {
            return Ok(true);
        }
        tracing::info!(consumer = info.name, changed = %changes.join(", "), "a consumer is followed by one that is up to date");
        let Err(error) = self
            .make(stream, newest + 1, at(dropped::next(&info)))
            .await
        else {
            return Ok(true);
        };
        // Another process may have been faster.
        let made = self.newest(&consumers(stream).await?);
        made.filter(|made| *made > newest)
            .map(|_| true)
            .ok_or(error)
    }

    /// A consumer that was there a moment ago; none where it is there no more.
    async fn info(
        &self,
        stream: &Stream<Info>,
        generation: u64,
    ) -> Result<Option<consumer::Info>, NatsError> {
        match stream.consumer_info(self.name(generation)).await {
            Ok(info) => Ok(Some(info)),
            Err(error) => match error.kind() {
                // While one is being deleted, servers answer with nothing that is known.
                ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::Request => Ok(None),
                _ => Err(NatsError::other(error)),
            },
        }
    }

    fn gone(&self, generation: u64) -> NatsError {
        let name = self.name(generation);
        NatsError::Other(format!(
            "it tells nothing of the consumer {name}, which others may have deleted"
        ))
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

    async fn after(
        &self,
        stream: &Stream<Info>,
        newest: u64,
        info: &consumer::Info,
    ) -> Result<PullConsumer, NatsError> {
        let fits = self.server.made(info) && self.changes(&info.config).is_empty();
        if fits && info.delivered.consumer_sequence == 0 {
            let consumer = stream.get_consumer(&info.name).await;
            return consumer.map_err(NatsError::other);
        }
        self.make(stream, newest + 1, at(dropped::next(info))).await
    }

    async fn make(
        &self,
        stream: &Stream<Info>,
        generation: u64,
        from: DeliverPolicy,
    ) -> Result<PullConsumer, NatsError> {
        let name = self.name(generation);
        let made = stream.create_consumer(self.wanted(generation, from)).await;
        made.map_err(|error| {
            let stream = &stream.cached_info().config.name;
            limits::of_consumer(stream, &name, &error)
        })
    }

    fn wanted(&self, generation: u64, from: DeliverPolicy) -> Config {
        Config {
            durable_name: Some(self.name(generation)),
            description: Some(self.server.mark()),
            deliver_policy: from,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.options.ack_wait,
            max_deliver: -1,
            filter_subject: self.filter.clone(),
            max_ack_pending: self.max_ack_pending(),
            ..Config::default()
        }
    }

    /// What may have been dropped that this part was still to have; nothing where events
    /// go by their age, or where a part's own can't be told from those of others.
    fn dropped(
        &self,
        stream: &Stream<Info>,
        info: &consumer::Info,
        read: Option<u64>,
    ) -> Option<Dropped> {
        if self.options.max_age.is_some() || self.options.partitions > 1 {
            return None;
        }
        // What is gone and was not read is none of its events where some are for others alone.
        let read = read.filter(|_| self.filter.ends_with('*'));
        dropped::look(&self.server, info, first(stream), read)
    }

    fn name(&self, generation: u64) -> String {
        format!("{}{generation}", self.base)
    }

    fn max_ack_pending(&self) -> i64 {
        i64::try_from(self.options.max_in_flight).unwrap_or(i64::MAX)
    }

    fn newest(&self, names: &[String]) -> Option<u64> {
        let generations = names.iter().map(|name| names::generation(&self.base, name));
        generations.flatten().max()
    }
}

/// A generation that no consumer has had: an answer to one of that name would be
/// taken for an answer to this one.
fn unused(stream: &Stream<Info>) -> u64 {
    let last = stream.cached_info().state.last_sequence;
    Made::of(stream).generation() + last + 1
}

/// The first number that the stream still has, or will have.
fn first(stream: &Stream<Info>) -> u64 {
    stream.cached_info().state.first_sequence.max(1)
}

fn at(start_sequence: u64) -> DeliverPolicy {
    DeliverPolicy::ByStartSequence { start_sequence }
}

/// The names of a stream's consumers. Where the stream is gone the client tells so
/// without end: the first time has to do.
pub(crate) async fn consumers(stream: &Stream<Info>) -> Result<Vec<String>, NatsError> {
    let names = stream.consumer_names().try_collect().await;
    names.map_err(NatsError::other)
}

/// The same with all that the broker tells of them.
pub(crate) async fn infos(stream: &Stream<Info>) -> Result<Vec<consumer::Info>, NatsError> {
    let infos = stream.consumers().try_collect().await;
    infos.map_err(NatsError::other)
}
