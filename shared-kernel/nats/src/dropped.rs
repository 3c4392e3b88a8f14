//! Events that a broker dropped before a handler had them.
//!
//! When servers from 2.9.7 to 2.9.15 start, they drop of a stream what every consumer
//! has settled. One that has nothing settled on record does not hold back what the
//! next is ahead of (`checkForOrphanMsgs` in the server's `stream.go`; since 2.9.16 each
//! consumer is looked at by itself). Each generation begins as such a one, so a broker
//! that dies beneath a handler which has just begun to read can lose it events.

use async_nats::Client;
use async_nats::jetstream::consumer::{DeliverPolicy, Info};

/// The first version that drops nothing.
const KEEPS: (i64, i64, i64) = (2, 9, 16);

/// The server at the other end, which has another name each time it starts.
#[derive(Clone)]
pub(crate) struct Server(Client);

impl Server {
    pub(crate) fn of(client: Client) -> Self {
        Self(client)
    }

    /// Whether it may drop events when it starts.
    pub(crate) fn may_drop(&self) -> bool {
        let (major, minor, patch) = KEEPS;
        !self.0.is_server_compatible(major, minor, patch)
    }

    /// Whether one can tell by its name that it has started: to a process each server of
    /// a cluster has another.
    fn is_alone(&self) -> bool {
        self.0.server_info().cluster.is_none()
    }

    /// What a consumer has for a description that is made now.
    pub(crate) fn mark(&self) -> String {
        format!("Made at the server {}", self.0.server_info().server_id)
    }

    /// Whether a consumer was made at it, since it has started.
    pub(crate) fn made(&self, info: &Info) -> bool {
        info.config.description.as_ref() == Some(&self.mark())
    }
}

/// What is missing: from this number to that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// What may have been dropped of the events that a consumer was still to have, where
/// the stream begins at `first`.
pub(crate) fn look(server: &Server, info: &Info, first: u64, read: Option<u64>) -> Option<Dropped> {
    let has_started = server.is_alone() && !server.made(info);
    missing(info, first, read).filter(|_| has_started && server.may_drop())
}

/// What is missing, if the server has started since. `read` is how far its reader itself
/// has come, where it read before and takes every event of the stream: what it has read
/// it has in hand. Without it the broker's record counts, which lags by what was settled
/// just before it died; then nothing may be missing, and events are published again in
/// vain.
fn missing(info: &Info, first: u64, read: Option<u64>) -> Option<Dropped> {
    let from = next(info).max(read.unwrap_or_default() + 1);
    (from < first).then(|| Dropped {
        from,
        to: first - 1,
    })
}

/// The number from which on a consumer has not settled everything.
pub(crate) fn next(info: &Info) -> u64 {
    let begins = match info.config.deliver_policy {
        DeliverPolicy::ByStartSequence { start_sequence } => start_sequence,
        _ => 1,
    };
    begins.max(info.ack_floor.stream_sequence + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(begins: u64, settled: u64) -> Info {
        let told = serde_json::json!({
            "stream_name": "cleave-order",
            "name": "order-read_model-0-1",
            "created": "2026-01-01T00:00:00Z",
            "config": {
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": begins,
                "ack_policy": "explicit",
                "replay_policy": "instant",
                "num_replicas": 0
            },
            "delivered": { "consumer_seq": 0, "stream_seq": 0 },
            "ack_floor": { "consumer_seq": 0, "stream_seq": settled },
            "num_ack_pending": 0,
            "num_redelivered": 0,
            "num_waiting": 0,
            "num_pending": 0
        });
        serde_json::from_value(told).expect("as a broker tells it")
    }

    #[test]
    fn what_is_gone_before_it_was_settled_is_missing() {
        assert_eq!(
            missing(&info(10, 0), 15, None),
            Some(Dropped { from: 10, to: 14 })
        );
        assert_eq!(
            missing(&info(10, 12), 15, None),
            Some(Dropped { from: 13, to: 14 })
        );
        assert_eq!(missing(&info(10, 14), 15, None), None);
        assert_eq!(missing(&info(15, 0), 15, None), None);
    }

    #[test]
    fn a_reader_has_in_hand_what_it_has_read() {
        assert_eq!(missing(&info(10, 0), 15, Some(14)), None);
        assert_eq!(
            missing(&info(10, 0), 15, Some(12)),
            Some(Dropped { from: 13, to: 14 })
        );
        assert_eq!(
            missing(&info(10, 13), 15, Some(12)),
            Some(Dropped { from: 14, to: 14 })
        );
        assert_eq!(missing(&info(15, 0), 15, Some(3)), None);
    }
}
