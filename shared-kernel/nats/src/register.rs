//! Who owns what, at the broker: a name of its own for everything under one prefix,
//! and for each context the database that its events belong to. Who comes first
//! writes an entry, and it stays until somebody deletes it by hand. A broker that
//! has lost it is told again by the processes that go on running.

use std::collections::BTreeMap;

use async_nats::jetstream::kv::{CreateErrorKind, Store};
use async_nats::jetstream::{self};
use cleave_messaging::BusError;
use parking_lot::Mutex;

use crate::bucket::Bucket;
use crate::{NatsError, NatsOptions};

const BUCKET: Bucket = Bucket {
    name: "owners",
    description: "Whose events these are",
    max_age: None,
};

/// The entry of the bus itself.
const BUS: &str = "bus";

/// The entries of one prefix.
pub(crate) struct Register {
    jetstream: jetstream::Context,
    options: NatsOptions,
    bucket: Store,
    /// What a bus without a name is called from now on.
    name: String,
    /// The entries that this process has made or found to be its own.
    own: Mutex<BTreeMap<String, String>>,
}

impl Register {
    pub(crate) async fn open(
        jetstream: &jetstream::Context,
        options: &NatsOptions,
        name: String,
    ) -> Result<Self, NatsError> {
        Ok(Self {
            jetstream: jetstream.clone(),
            options: options.clone(),
            bucket: BUCKET.open(jetstream, options).await?,
            name,
            own: Mutex::default(),
        })
    }

    /// What everything under this prefix at this broker is called.
    pub(crate) async fn bus(&self) -> Result<String, NatsError> {
        let name = self.entry(BUS, &self.name).await?;
        self.own.lock().insert(BUS.to_owned(), name.clone());
        Ok(name)
    }

    /// Takes a context's events for a database.
    pub(crate) async fn claim(&self, context: &str, identity: &str) -> Result<(), BusError> {
        let key = format!("owner.{context}");
        if self.entry(&key, identity).await? != identity {
            let bucket = BUCKET.full_name(&self.options);
            return Err(BusError::Owned(format!("nats kv del {bucket} {key}")));
        }
        self.own.lock().insert(key, identity.to_owned());
        Ok(())
    }

    /// Tells a broker that has forgotten everything what this process knows.
    pub(crate) async fn keep(&self) -> Result<(), NatsError> {
        let own = self.own.lock().clone();
        if own.is_empty()
            || self
                .bucket
                .get(BUS)
                .await
                .is_ok_and(|entry| entry.is_some())
        {
            return Ok(());
        }
        BUCKET.open(&self.jetstream, &self.options).await?;
        for (key, value) in own {
            if self.entry(&key, &value).await? != value {
                tracing::error!(
                    entry = key,
                    "the broker was emptied, and another process took what is this one's; stop one of them"
                );
            }
        }
        Ok(())
    }

    /// What is written under a key: `own` where nothing was.
    async fn entry(&self, key: &str, own: &str) -> Result<String, NatsError> {
        match self.bucket.create(key, own.to_owned().into()).await {
            Ok(_) => return Ok(own.to_owned()),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
            Err(error) => return Err(NatsError::other(error)),
        }
        let entry = self.bucket.get(key).await.map_err(NatsError::other)?;
        let entry = entry.ok_or_else(|| NatsError::other("an entry was deleted meanwhile"))?;
        Ok(String::from_utf8_lossy(&entry).into_owned())
    }
}
