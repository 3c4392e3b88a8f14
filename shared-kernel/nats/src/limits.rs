//! What is in the way of a stream or a consumer, by the number that the broker
//! gives it: each as the setting, here or there, that lets it pass.

use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::stream::{Config, ConsumerError, ConsumerErrorKind};
use async_nats::jetstream::{self, ErrorCode};

use crate::NatsError;

/// Why a stream can't be as it is wanted.
pub(crate) fn of_stream(wanted: &Config, error: &CreateStreamError) -> NatsError {
    let CreateStreamErrorKind::JetStream(told) = error.kind() else {
        return NatsError::other(error);
    };
    let (stream, reason) = (wanted.name.clone(), error.to_string());
    match told.error_code() {
        code if is_want_of_room(code) => NatsError::NoRoom { stream, reason },
        ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED
        | ErrorCode::CLUSTER_NO_PEERS
        | ErrorCode::CLUSTER_INCOMPLETE => NatsError::Replicas {
            stream,
            replicas: wanted.num_replicas,
            reason,
        },
        _ => refused(format!("the stream {stream}"), &told, reason),
    }
}

/// Why a consumer can't be as it is wanted.
pub(crate) fn of_consumer(stream: &str, name: &str, error: &ConsumerError) -> NatsError {
    let ConsumerErrorKind::JetStream(told) = error.kind() else {
        return NatsError::other(error);
    };
    let reason = error.to_string();
    if is_want_of_room(told.error_code()) {
        let stream = stream.to_owned();
        return NatsError::NoRoom { stream, reason };
    }
    let what = format!("the consumer {name} of the stream {stream}");
    refused(what, &told, reason)
}

fn is_want_of_room(code: ErrorCode) -> bool {
    [
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ErrorCode::INSUFFICIENT_RESOURCES,
        ErrorCode::STORAGE_RESOURCES_EXCEEDED,
        ErrorCode::MEMORY_RESOURCES_EXCEEDED,
        ErrorCode::MAXIMUM_STREAMS_LIMIT,
    ]
    .contains(&code)
}

fn refused(what: String, told: &jetstream::Error, reason: String) -> NatsError {
    match fix(told.error_code()) {
        Some(fix) => NatsError::Refused { what, reason, fix },
        None => NatsError::Other(format!("{what} can't be as it must be: {reason}")),
    }
}

fn fix(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::MAXIMUM_CONSUMERS_LIMIT => Some(
            "raise the limit of consumers (max_consumers) of this account, or of the stream, to the program's handlers times bus.nats.partitions, and as many again for those that take over",
        ),
        ErrorCode::STREAM_MAX_BYTES_REQUIRED => Some(
            "this account demands a bound by bytes: set bus.nats.max_bytes, or lift max_bytes_required from the account",
        ),
        ErrorCode::STREAM_MAX_STREAM_BYTES_EXCEEDED => Some(
            "lower bus.nats.max_bytes to what this account allows one stream, or raise that limit (disk_max_stream_bytes)",
        ),
        ErrorCode::STREAM_SUBJECT_OVERLAP => Some(
            "another stream takes some of these subjects: set bus.nats.prefix to a word that nobody else uses there, or delete that stream",
        ),
        ErrorCode::STREAM_INVALID_CONFIG => Some(
            "a limit of the broker's is in the way: lower bus.nats.dedup_window, bus.nats.max_age or whichever setting of bus.nats it names, or raise the limit",
        ),
        ErrorCode::CONSUMER_MAX_PENDING_ACK_EXCESS => Some(
            "lower bus.nats.max_in_flight to what the broker allows one consumer, or raise that limit (max_ack_pending)",
        ),
        ErrorCode::CLUSTER_NO_PEERS | ErrorCode::CLUSTER_INCOMPLETE => Some(
            "set bus.nats.replicas to the servers that its cluster has, or start those that are down",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the broker writes it.
    fn told(number: u64) -> NatsError {
        let told = serde_json::json!({
            "code": 400, "err_code": number, "description": "what it says"
        });
        let told: jetstream::Error = serde_json::from_value(told).expect("an error");
        let wanted = Config {
            name: "cleave-order".to_owned(),
            ..Config::default()
        };
        let error = CreateStreamError::new(CreateStreamErrorKind::JetStream(told));
        of_stream(&wanted, &error)
    }

    #[test]
    fn each_limit_names_the_setting_that_lets_it_pass() {
        for (number, setting) in [
            (10002, "bus.nats.max_bytes"),
            (10004, "bus.nats.replicas"),
            (10005, "bus.nats.replicas"),
            (10026, "max_consumers"),
            (10052, "bus.nats.dedup_window"),
            (10065, "bus.nats.prefix"),
            (10074, "bus.nats.replicas"),
            (10113, "bus.nats.max_bytes"),
            (10121, "bus.nats.max_in_flight"),
            (10122, "bus.nats.max_bytes"),
        ] {
            let told = told(number).to_string();
            for part in [setting, "cleave-order", "what it says"] {
                assert!(told.contains(part), "{number}: {told}");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_told_as_the_broker_says_it() {
        assert!(told(10049).to_string().contains("what it says"));
    }
}
