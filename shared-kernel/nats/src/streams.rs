//! The streams: one for each family of events, made where it is missing and
//! brought up to date where it differs. It keeps an event until every consumer
//! has settled it, and a full one refuses more, so that a handler that is away
//! makes the relays wait and loses nothing.
//!
//! What a stream takes while a consumer is missing is lost to that consumer's
//! handler. So one that is made takes nothing until the consumers of everybody who
//! was announced are there, whoever makes it and whoever else publishes; and each
//! is told from the one before it by the time at which it was made.

use std::collections::{BTreeMap, HashMap};

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Info, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{self, ErrorCode};
use cleave_messaging::Subscription;
use parking_lot::Mutex as Lock;
use tokio::sync::Mutex;

use crate::dropped::Server;
use crate::part::{Part, consumers};
use crate::{NatsError, NatsOptions, drift, limits, names};

/// The greatest event that a stream takes while its consumers are being made: none
/// is so small.
const CLOSED: i32 = 1;

/// How often a stream is prepared that others replace meanwhile.
const REPLACED: usize = 20;

/// When a stream was made, in nanoseconds; no two under one name are of the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Made(i128);

impl Made {
    pub(crate) fn of(stream: &Stream<Info>) -> Self {
        Self(stream.cached_info().created.unix_timestamp_nanos())
    }

    /// The first generation of the stream's consumers: of no other stream's.
    pub(crate) fn generation(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or_default()
    }
}

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The streams that are known to be as they must be.
pub(crate) struct Streams {
    jetstream: jetstream::Context,
    server: Server,
    options: NatsOptions,
    known: Mutex<HashMap<String, Stream<Info>>>,
    /// Whose consumers each stream is to have, by the consumer's name.
    announced: Lock<BTreeMap<String, Subscription>>,
}

impl Streams {
    pub(crate) fn new(jetstream: jetstream::Context, options: NatsOptions) -> Self {
        Self {
            server: Server::of(jetstream.client()),
            jetstream,
            options,
            known: Mutex::default(),
            announced: Lock::default(),
        }
    }

    /// From now on a stream that is made has this consumer from the start.
    pub(crate) fn announce(&self, subscription: &Subscription) {
        let (name, subscription) = (subscription.consumer.clone(), subscription.clone());
        self.announced.lock().insert(name, subscription);
    }

    /// What a subscription wants.
    pub(crate) fn parts(&self, subscription: &Subscription) -> Vec<Part> {
        Part::of(subscription, &self.options, &self.server)
    }

    /// Returns once the streams of these parts are there, each with its consumers.
    pub(crate) async fn prepare(&self, parts: &[Part]) -> Result<(), NatsError> {
        for of_family in parts.chunk_by(|one, next| one.family == next.family) {
            self.prepare_one(&of_family[0].family, of_family).await?;
        }
        Ok(())
    }

    /// The same for one stream, once more where it was replaced meanwhile.
    async fn prepare_one(&self, family: &str, parts: &[Part]) -> Result<(), NatsError> {
        for _ in 1..REPLACED {
            let before = self.made(family).await?;
            let Err(error) = self.try_prepare(family, parts).await else {
                return Ok(());
            };
            // One that others have deleted again is as little there as before.
            let now = self.made(family).await?;
            if now.is_some() && now == before {
                return Err(error);
            }
            self.forget(family).await;
        }
        self.try_prepare(family, parts).await
    }

    async fn try_prepare(&self, family: &str, parts: &[Part]) -> Result<(), NatsError> {
        let stream = self.of(family).await?;
        equip(&stream, parts).await
    }

    /// When the stream of a family was made, if there is one at this moment.
    pub(crate) async fn made(&self, family: &str) -> Result<Option<Made>, NatsError> {
        Ok(self.find(family).await?.as_ref().map(Made::of))
    }

    /// The stream of a family, as the settings want it.
    pub(crate) async fn of(&self, family: &str) -> Result<Stream<Info>, NatsError> {
        let mut known = self.known.lock().await;
        if let Some(stream) = known.get(family) {
            return Ok(stream.clone());
        }
        let stream = self.ensure(family).await?;
        known.insert(family.to_owned(), stream.clone());
        Ok(stream)
    }

    /// The same, as the broker has it at this moment: it may be another one by now.
    pub(crate) async fn look(&self, family: &str) -> Result<Stream<Info>, NatsError> {
        let mut known = self.known.lock().await;
        if let (Some(found), Some(before)) = (self.find(family).await?, known.get(family))
            && Made::of(&found) == Made::of(before)
        {
            return Ok(found);
        }
        let stream = self.ensure(family).await?;
        known.insert(family.to_owned(), stream.clone());
        Ok(stream)
    }

    /// Returns once the stream of a family is as the settings want it.
    pub(crate) async fn ready(&self, family: &str) -> Result<(), NatsError> {
        if self.known.lock().await.contains_key(family) {
            return Ok(());
        }
        self.of(family).await.map(drop)
    }

    /// The stream of a family, if there is one.
    pub(crate) async fn find(&self, family: &str) -> Result<Option<Stream<Info>>, NatsError> {
        let name = names::stream(&self.options.prefix, family);
        match self.jetstream.get_stream(&name).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(told)
                    if told.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(NatsError::other(error)),
            },
        }
    }

    /// Deletes the stream of a family, if it is that one still: its relay publishes
    /// again, in order, what may not have been handled.
    pub(crate) async fn give_up(&self, family: &str, which: Made) -> Result<(), NatsError> {
        let mut known = self.known.lock().await;
        if let Some(found) = self.find(family).await?
            && Made::of(&found) == which
        {
            let name = &found.cached_info().config.name;
            let deleted = self.jetstream.delete_stream(name).await;
            deleted.map_err(NatsError::other)?;
        }
        known.remove(family);
        Ok(())
    }

    /// Looks again at the next need: somebody may have deleted it.
    pub(crate) async fn forget(&self, family: &str) {
        self.known.lock().await.remove(family);
    }

    async fn ensure(&self, family: &str) -> Result<Stream<Info>, NatsError> {
        let wanted = self.wanted(family);
        let stream = match self.find(family).await? {
            Some(found) => found,
            None => self.make(family, &wanted).await?,
        };
        self.check_for_good(&stream.cached_info().config, &wanted)?;
        let announced: Vec<Subscription> = self.announced.lock().values().cloned().collect();
        let parts = announced.iter().flat_map(|it| self.parts(it));
        let parts: Vec<Part> = parts.filter(|part| part.family == family).collect();
        equip(&stream, &parts).await?;
        self.adjust(stream, wanted).await
    }

    /// Makes it, closed: it is opened once its consumers are there.
    async fn make(&self, family: &str, wanted: &Config) -> Result<Stream<Info>, NatsError> {
        let closed = Config {
            max_message_size: CLOSED,
            ..wanted.clone()
        };
        match self.jetstream.create_stream(&closed).await {
            Ok(stream) => Ok(stream),
            Err(error) => match (error.kind(), self.find(family).await) {
                // Another process was faster, and has opened it.
                (CreateStreamErrorKind::JetStream(told), Ok(Some(found)))
                    if told.error_code() == ErrorCode::STREAM_NAME_EXIST =>
                {
                    Ok(found)
                }
                _ => Err(limits::of_stream(wanted, &error)),
            },
        }
    }

    fn wanted(&self, family: &str) -> Config {
        let options = &self.options;
        Config {
            name: names::stream(&options.prefix, family),
            description: Some(description(options.partitions)),
            subjects: vec![names::subjects(&options.prefix, family)],
            retention: RetentionPolicy::Interest,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: options.replicas,
            max_bytes: limit(options.max_bytes),
            max_messages: limit(options.max_events),
            max_messages_per_subject: -1,
            max_message_size: -1,
            max_consumers: -1,
            max_age: options.max_age.unwrap_or_default(),
            duplicate_window: options.dedup_window,
            ..Config::default()
        }
    }

    /// Brings a stream that exists up to date; refuses one that can't be.
    async fn adjust(&self, found: Stream<Info>, wanted: Config) -> Result<Stream<Info>, NatsError> {
        let has = &found.cached_info().config;
        let is_new = has.max_message_size == CLOSED;
        let changes = drift::changes(has, &wanted);
        if changes.is_empty() {
            return Ok(found);
        }
        let updated = self.jetstream.update_stream(&wanted).await;
        updated.map_err(|error| limits::of_stream(&wanted, &error))?;
        if is_new {
            tracing::info!(stream = wanted.name, "a stream was made");
        } else {
            tracing::info!(stream = wanted.name, changed = %changes.join(", "), "a stream was brought up to date");
        }
        let found = self.jetstream.get_stream(&wanted.name).await;
        found.map_err(NatsError::other)
    }

    /// What no stream can change, or must not while it holds events.
    fn check_for_good(&self, has: &Config, wanted: &Config) -> Result<(), NatsError> {
        let partitions = has.description.as_deref().and_then(partitions);
        drift::check_owner(has, wanted, partitions.is_some())?;
        drift::check_for_good(has, wanted)?;
        match partitions {
            Some(partitions) if partitions != self.options.partitions => Err(NatsError::Drift {
                stream: wanted.name.clone(),
                what: format!(
                    "{partitions} partitions, and bus.nats.partitions is {}: a key's events would change places while some are under way",
                    self.options.partitions
                ),
                fix: format!("set bus.nats.partitions to {partitions}, for good or"),
            }),
            _ => Ok(()),
        }
    }
}

/// Makes the consumers of these parts of one stream where they are missing.
async fn equip(stream: &Stream<Info>, parts: &[Part]) -> Result<(), NatsError> {
    if parts.is_empty() {
        return Ok(());
    }
    let existing = consumers(stream).await?;
    let info = stream.get_info().await.map_err(NatsError::other)?;
    for part in parts {
        let last = info.state.last_sequence;
        part.prepare(stream, &existing, last).await?;
    }
    Ok(())
}

/// As a stream has it: -1 for no bound.
fn limit(bound: u64) -> i64 {
    match i64::try_from(bound) {
        Ok(0) | Err(_) => -1,
        Ok(bound) => bound,
    }
}

const MARK: &str = "Cleave's events on their way to their handlers, in partitions: ";

fn description(partitions: u16) -> String {
    format!("{MARK}{partitions}")
}

fn partitions(description: &str) -> Option<u16> {
    description.strip_prefix(MARK)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_tells_the_partitions() {
        assert_eq!(partitions(&description(4)), Some(4));
        assert_eq!(partitions("my own stream"), None);
    }
}
