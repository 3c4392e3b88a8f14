//! Consumers at the broker that belong to no handler of this program: a handler
//! was taken out, and the streams keep for it what it will never settle. They are
//! told and not deleted, because another version may be running beside this one.

use async_nats::jetstream::consumer::Info;
use async_nats::jetstream::{self};
use cleave_messaging::{LeftBehind, Subscription};
use futures::TryStreamExt;

use crate::part::infos;
use crate::{NatsError, names};

/// Those on any stream of this prefix that none of the known subscriptions has.
pub(crate) async fn find(
    jetstream: &jetstream::Context,
    prefix: &str,
    partitions: u16,
    known: &[Subscription],
) -> Result<Vec<LeftBehind>, NatsError> {
    let streams: Vec<String> = jetstream
        .stream_names()
        .try_collect()
        .await
        .map_err(NatsError::other)?;
    let mut found = Vec::new();
    for name in streams {
        let Some(family) = names::family_of_stream(prefix, &name) else {
            continue;
        };
        let bases = bases(family, partitions, known);
        // One that is replaced at this moment has nothing to tell.
        let Ok(stream) = jetstream.get_stream(&name).await else {
            continue;
        };
        let Ok(consumers) = infos(&stream).await else {
            continue;
        };
        for info in consumers {
            let is = |base: &String| names::generation(base, &info.name).is_some();
            if !bases.iter().any(is) {
                found.push(left(&name, &info));
            }
        }
    }
    Ok(found)
}

/// How the names begin of the consumers that should be on a family's stream.
fn bases(family: &str, partitions: u16, known: &[Subscription]) -> Vec<String> {
    let wants = |it: &&Subscription| {
        let mut kinds = it.types.iter();
        kinds.any(|kind| names::is_family(kind, family))
    };
    let wanting = known.iter().filter(wants);
    wanting
        .flat_map(|it| (0..partitions).map(|part| names::consumer(&it.consumer, part)))
        .collect()
}

fn left(stream: &str, info: &Info) -> LeftBehind {
    LeftBehind {
        consumer: info.name.clone(),
        waiting: info.num_pending + info.num_ack_pending as u64,
        remedy: format!("nats consumer rm {stream} {}", info.name),
    }
}
