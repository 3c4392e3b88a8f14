//! Buckets of keys and values at the broker, made where they are missing and
//! brought up to date where they differ. Made by hand: the client does it for newer
//! servers alone.

use std::time::Duration;

use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self};

use crate::{NatsError, NatsOptions, drift, limits};

/// As the broker bounds it for a bucket.
const LONGEST_WINDOW: Duration = Duration::from_mins(2);

/// More than all entries need. It is bounded where the streams are: an account that
/// demands it of them demands it of every stream.
const ROOM: i64 = 1024 * 1024;

/// What a bucket is for.
pub(crate) struct Bucket {
    /// Behind the prefix.
    pub(crate) name: &'static str,
    /// What tells that it is this program's.
    pub(crate) description: &'static str,
    /// After which an entry that nobody renews vanishes; none for never.
    pub(crate) max_age: Option<Duration>,
}

impl Bucket {
    pub(crate) fn full_name(&self, options: &NatsOptions) -> String {
        format!("{}-{}", options.prefix, self.name)
    }

    /// The bucket, as the settings want it.
    pub(crate) async fn open(
        &self,
        jetstream: &jetstream::Context,
        options: &NatsOptions,
    ) -> Result<Store, NatsError> {
        let wanted = self.wanted(options);
        let refused = |error| limits::of_stream(&wanted, &error);
        let found = jetstream.get_or_create_stream(&wanted).await;
        let found = found.map_err(refused)?;
        let has = &found.cached_info().config;
        drift::check_owner(has, &wanted, has.description == wanted.description)?;
        drift::check_for_good(has, &wanted)?;
        let changes = drift::changes(has, &wanted);
        if !changes.is_empty() {
            let updated = jetstream.update_stream(&wanted).await;
            updated.map_err(refused)?;
            tracing::info!(stream = wanted.name, changed = %changes.join(", "), "a bucket was brought up to date");
        }
        let bucket = jetstream.get_key_value(self.full_name(options)).await;
        bucket.map_err(NatsError::other)
    }

    fn wanted(&self, options: &NatsOptions) -> Config {
        let name = self.full_name(options);
        Config {
            name: format!("KV_{name}"),
            description: Some(self.description.to_owned()),
            subjects: vec![format!("$KV.{name}.>")],
            max_messages_per_subject: 1,
            max_messages: -1,
            max_bytes: if options.max_bytes > 0 { ROOM } else { -1 },
            max_age: self.max_age.unwrap_or_default(),
            duplicate_window: self.max_age.unwrap_or(LONGEST_WINDOW).min(LONGEST_WINDOW),
            num_replicas: options.replicas,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            deny_delete: true,
            allow_direct: true,
            ..Config::default()
        }
    }
}
