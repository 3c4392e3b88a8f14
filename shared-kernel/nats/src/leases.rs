//! Who reads which part of a stream for which handler: an entry of a bucket at
//! the broker, which vanishes when nobody renews it. The broker alone measures
//! the time, so no process's clock matters.

use std::time::Duration;

use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self};
use bytes::Bytes;

use crate::{NatsError, NatsOptions, drift, limits};

/// As the broker bounds it for a bucket.
const LONGEST_WINDOW: Duration = Duration::from_mins(2);

/// The leases of all readers of one prefix.
#[derive(Clone)]
pub(crate) struct Leases {
    bucket: Store,
    span: Duration,
    owner: Bytes,
}

/// A lease that was ours when the broker last said so.
pub(crate) struct Lease {
    key: String,
    revision: u64,
}

/// What came of renewing a lease.
pub(crate) enum Renewed {
    Yes,
    /// Somebody else may have it.
    Lost,
}

impl Leases {
    pub(crate) async fn open(
        jetstream: &jetstream::Context,
        options: &NatsOptions,
        owner: String,
    ) -> Result<Self, NatsError> {
        let name = format!("{}-leases", options.prefix);
        let bucket = bucket(jetstream, &name, options).await?;
        Ok(Self {
            bucket,
            span: options.lease,
            owner: owner.into(),
        })
    }

    /// How often a lease is renewed, and looked for where another has it.
    pub(crate) fn beat(&self) -> Duration {
        self.span / 4
    }

    /// The lease, where nobody has it.
    pub(crate) async fn take(&self, key: &str) -> Result<Option<Lease>, NatsError> {
        match self.bucket.create(key, self.owner.clone()).await {
            Ok(revision) => Ok(Some(Lease {
                key: key.to_owned(),
                revision,
            })),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(NatsError::other(error)),
        }
    }

    pub(crate) async fn renew(&self, lease: &mut Lease) -> Result<Renewed, NatsError> {
        let (owner, revision) = (self.owner.clone(), lease.revision);
        match self.bucket.update(&lease.key, owner, revision).await {
            Ok(revision) => {
                lease.revision = revision;
                Ok(Renewed::Yes)
            }
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(Renewed::Lost),
            Err(error) => Err(NatsError::other(error)),
        }
    }

    /// Gives it back, so that nobody need wait for its end.
    pub(crate) async fn give_back(&self, lease: Lease) {
        let revision = Some(lease.revision);
        let given = self.bucket.delete_expect_revision(&lease.key, revision);
        if let Err(error) = given.await {
            tracing::debug!(%error, "a lease was not given back; it ends by itself");
        }
    }
}

/// What tells that a bucket is this program's.
const MARK: &str = "Who reads which part of which stream";
/// More than all leases need. It is bounded where the streams are: an account that
/// demands it of them demands it of every stream.
const ROOM: i64 = 1024 * 1024;

/// The bucket, as the settings want it. Made by hand: the client does it for
/// newer servers alone.
async fn bucket(
    jetstream: &jetstream::Context,
    name: &str,
    options: &NatsOptions,
) -> Result<Store, NatsError> {
    let wanted = Config {
        name: format!("KV_{name}"),
        description: Some(MARK.to_owned()),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: 1,
        max_messages: -1,
        max_bytes: if options.max_bytes > 0 { ROOM } else { -1 },
        max_age: options.lease,
        duplicate_window: options.lease.min(LONGEST_WINDOW),
        num_replicas: options.replicas,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        ..Config::default()
    };
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
        tracing::info!(stream = wanted.name, changed = %changes.join(", "), "the bucket of leases was brought up to date");
    }
    let bucket = jetstream.get_key_value(name).await;
    bucket.map_err(NatsError::other)
}
