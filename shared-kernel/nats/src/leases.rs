//! Who reads which part of a stream for which handler: an entry of a bucket at
//! the broker, which vanishes when nobody renews it. The broker alone measures
//! the time, so no process's clock matters.

use std::time::Duration;

use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use async_nats::jetstream::{self};
use bytes::Bytes;

use crate::bucket::Bucket;
use crate::{NatsError, NatsOptions};

/// The leases of all readers of one prefix.
#[derive(Clone)]
pub(crate) struct Leases {
    jetstream: jetstream::Context,
    options: NatsOptions,
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
        let bucket = bucket(options).open(jetstream, options).await?;
        Ok(Self {
            jetstream: jetstream.clone(),
            options: options.clone(),
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
            Err(error) => {
                // Somebody may have deleted it: the next try finds another.
                bucket(&self.options)
                    .open(&self.jetstream, &self.options)
                    .await?;
                Err(NatsError::other(error))
            }
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

fn bucket(options: &NatsOptions) -> Bucket {
    Bucket {
        name: "leases",
        description: "Who reads which part of which stream",
        max_age: Some(options.lease),
    }
}
