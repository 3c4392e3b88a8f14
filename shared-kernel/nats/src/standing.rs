//! Whether the broker is there, and for the how-manieth time, as the client's own
//! state says: its events are a hint to look, because it drops some where many
//! come at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Event, ServerError};
use tokio::sync::{Notify, watch};

/// How long a change that no event told of may go unseen.
const LOOK: Duration = Duration::from_secs(1);

/// Whether the broker is there.
#[derive(Clone, Default)]
pub(crate) struct Standing(Arc<Inner>);

#[derive(Default)]
struct Inner {
    now: watch::Sender<Connected>,
    changed: Notify,
    /// What the broker last said that this user may not do.
    denied: watch::Sender<Option<String>>,
}

/// A connection by its number; while it does not stand, the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Connected {
    number: u64,
    stands: bool,
}

impl Standing {
    pub(crate) fn now(&self) -> Connected {
        *self.0.now.borrow()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.now().stands
    }

    /// Returns once this connection has ended.
    pub(crate) async fn left(&self, connected: Connected) {
        let mut changes = self.0.now.subscribe();
        // The sender is this value's own, so it can't be gone.
        let _ = changes.wait_for(|now| *now != connected).await;
    }

    /// Returns what the broker says that this user may not do, once it says so.
    pub(crate) async fn denied(&self) -> String {
        let mut said = self.0.denied.subscribe();
        let said = said.wait_for(Option::is_some).await;
        said.ok().and_then(|said| said.clone()).unwrap_or_default()
    }

    /// Keeps what it says true for as long as it is polled.
    pub(crate) async fn follow(&self, client: &Client) {
        loop {
            self.look(client);
            // Whichever comes first: a hint, or time.
            let _ = tokio::time::timeout(LOOK, self.0.changed.notified()).await;
        }
    }

    pub(crate) fn look(&self, client: &Client) {
        let seen = Connected {
            number: client.statistics().connects.load(Ordering::Relaxed),
            stands: client.connection_state() == State::Connected,
        };
        metrics::gauge!("cleave_bus_connected").set(if seen.stands { 1.0 } else { 0.0 });
        let before = self.now();
        self.0.now.send_if_modified(|now| {
            let changes = *now != seen;
            *now = seen;
            changes
        });
        if seen.stands && before != seen {
            tracing::info!("connected to the broker");
        } else if before.stands && !seen.stands {
            tracing::warn!("the broker is away; events wait in the outboxes until it is back");
        }
    }

    /// Takes what the client tells. It does not keep the client: whoever is called
    /// by a client would keep it open for ever.
    pub(crate) fn hear(&self, event: Event) {
        match event {
            Event::Connected | Event::Disconnected | Event::Closed => self.0.changed.notify_one(),
            Event::SlowConsumer(_) => {
                tracing::warn!("events came faster than they were read; they are read again");
            }
            Event::ServerError(error) => self.complained(&error),
            Event::ClientError(error) => tracing::debug!(%error, "the broker's client complains"),
            Event::LameDuckMode | Event::Draining => {}
        }
    }

    fn complained(&self, error: &ServerError) {
        tracing::warn!(%error, "the broker complains");
        if let ServerError::Other(reason) = error
            && reason.starts_with("Permissions Violation")
        {
            self.0.denied.send_replace(Some(reason.clone()));
        }
    }
}
