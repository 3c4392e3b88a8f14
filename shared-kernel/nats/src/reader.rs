//! One part of one stream, read for one handler, by one process at a time.
//!
//! Order rests on three things. A reader begins behind the last event of its part
//! below which everything is settled, so nothing that is open lies before what it
//! reads. It reads without a gap: the broker numbers what it hands to a consumer,
//! and where a number is missing the reader begins again. And it begins as a new
//! *generation* of the consumer, a durable one under the next number, so that
//! nothing which was handed to whoever read before is held back from it. A lost
//! connection is such an end too: the broker may have died, and forgotten what it
//! had handed out.
//!
//! Who reads is decided by a lease. A process that has lost its lease and does
//! not know yet handles some events that another handles too; each of the two
//! sees every key in order, and the inbox lets the first of them count.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::stream::{Info, Stream};
use cleave_vocabulary::Envelope;
use futures::StreamExt;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::desk::{Answer, Desk, Place, Word};
use crate::leases::{Lease, Leases, Renewed};
use crate::names;
use crate::part::{NotBegun, Part};
use crate::standing::{Connected, Standing};
use crate::streams::{Made, Streams};

/// How long one request for events stays open at the broker.
const ASK: Duration = Duration::from_secs(30);
/// How often the broker shows that the request is still open.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Before beginning again after something went wrong.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Reads one part for one handler.
pub(crate) struct Reader {
    pub(crate) part: Part,
    pub(crate) streams: Arc<Streams>,
    pub(crate) leases: Leases,
    pub(crate) standing: Standing,
    pub(crate) desk: Arc<Desk>,
}

/// Why a reader begins again.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the lease was lost")]
    Lost,
    #[error("events were lost on the way")]
    Gap,
    #[error("the connection was lost")]
    Away,
    #[error("the broker dropped events; their stream is made anew")]
    Dropped,
    #[error("{0}")]
    Failed(String),
}

/// The last event that a reader has read since it has the lease, and of which stream.
type Read = Option<(Made, u64)>;

impl End {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Reader {
    /// Reads while it has the lease, and waits for it while it has not.
    pub(crate) async fn run(self) {
        let stop = self.desk.stop.clone();
        while let Some(mut lease) = stop.run_until_cancelled(self.lease()).await {
            stop.run_until_cancelled(self.hold(&mut lease)).await;
            self.leases.give_back(lease).await;
        }
    }

    async fn lease(&self) -> Lease {
        loop {
            match self.leases.take(&self.key()).await {
                Ok(Some(lease)) => return lease,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "a lease could not be asked for"),
            }
            sleep(self.leases.beat()).await;
        }
    }

    fn key(&self) -> String {
        let stream = names::stream(&self.part.options.prefix, &self.part.family);
        format!("{stream}/{}", self.part.base.trim_end_matches('-'))
    }

    /// Reads, and begins again where it must, until the lease is lost.
    async fn hold(&self, lease: &mut Lease) {
        let read = async {
            let mut pause = PAUSE;
            let mut read = None;
            loop {
                let (end, progress) = self.read(&mut read).await;
                tracing::info!(consumer = %self.part.base, reason = %end, "reading begins again");
                pause = if progress {
                    PAUSE
                } else {
                    (pause * 2).min(LONGEST_PAUSE)
                };
                sleep(pause).await;
            }
        };
        let end: End = tokio::select! {
            never = read => never,
            end = self.keep(lease) => end,
        };
        tracing::info!(consumer = %self.part.base, reason = %end, "another may read");
    }

    async fn keep(&self, lease: &mut Lease) -> End {
        let mut beat = interval(self.leases.beat());
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.tick().await;
        loop {
            beat.tick().await;
            match self.leases.renew(lease).await {
                Ok(Renewed::Yes) => {}
                Ok(Renewed::Lost) => return End::Lost,
                // It may have been renewed, and only the answer lost: the next will tell.
                Err(error) => tracing::debug!(%error, "a lease could not be renewed"),
            }
        }
    }

    /// Reads one generation to its end; and whether anything came.
    async fn read(&self, read: &mut Read) -> (End, bool) {
        let mut came = false;
        let connected = self.standing.now();
        let end = tokio::select! {
            end = self.follow(connected, read, &mut came) => end,
            () = self.standing.left(connected) => Err(End::Away),
        };
        let end = match end {
            Ok(never) => match never {},
            Err(end) => end,
        };
        (end, came)
    }

    async fn follow(
        &self,
        connected: Connected,
        read: &mut Read,
        came: &mut bool,
    ) -> Result<Infallible, End> {
        let stream = Box::pin(self.streams.look(&self.part.family)).await;
        let stream = stream.map_err(End::failed)?;
        let made = Made::of(&stream);
        let before = read.filter(|(of, _)| *of == made).map(|(_, last)| last);
        let consumer = self.begin(&stream, before).await?;
        // Another one has the same name, and the same numbers for other events.
        let now = self.streams.made(&self.part.family).await;
        if now.map_err(End::failed)? != Some(made) {
            return Err(End::Failed("the stream was replaced".to_owned()));
        }
        let messages = consumer
            .stream()
            .max_messages_per_batch(self.part.options.max_in_flight)
            .expires(ASK)
            .heartbeat(HEARTBEAT)
            .messages();
        let mut messages = messages.await.map_err(End::failed)?;
        let (mut handed, mut last) = (0, 0);
        while let Some(message) = messages.next().await {
            let message = message.map_err(End::failed)?;
            let info = message.info().map_err(End::failed)?;
            handed += 1;
            if info.consumer_sequence != handed {
                return Err(End::Gap);
            }
            let (sequence, again) = (info.stream_sequence, info.stream_sequence <= last);
            last = last.max(sequence);
            *read = Some((made, before.unwrap_or_default().max(last)));
            *came = true;
            let place = Place {
                stream: self.part.number,
                made,
                sequence,
            };
            self.arrived(&message, connected, place, again);
        }
        Err(End::Failed("the broker ended it".to_owned()))
    }

    /// The consumer to read from. Where the broker dropped events before this handler
    /// had them, the stream goes with what is left of it: what was dropped has to come
    /// before that.
    async fn begin(&self, stream: &Stream<Info>, before: Option<u64>) -> Result<PullConsumer, End> {
        let dropped = match Box::pin(self.part.begin(stream, before)).await {
            Ok(consumer) => return Ok(consumer),
            Err(NotBegun::Failed(error)) => return Err(End::failed(error)),
            Err(NotBegun::Dropped(dropped)) => dropped,
        };
        tracing::error!(
            consumer = %self.part.base, from = dropped.from, to = dropped.to,
            "the broker has dropped events that this handler may not have had, as servers before 2.9.16 can when they start; their stream is deleted, and they are published again"
        );
        let family = &self.part.family;
        let given_up = Box::pin(self.streams.give_up(family, Made::of(stream)));
        given_up.await.map_err(End::failed)?;
        Err(End::Dropped)
    }

    fn arrived(&self, message: &Message, connected: Connected, place: Place, again: bool) {
        let Some(subject) = message.reply.clone() else {
            return;
        };
        let answer = Answer { subject, connected };
        if self.desk.holds(place, &answer) {
            return;
        }
        if again {
            // Settled, and the broker did not hear of it.
            return self.desk.say(Word::Ack(answer));
        }
        match serde_json::from_slice::<Envelope>(&message.payload) {
            Ok(event) if self.desk.types.iter().any(|kind| *kind == event.kind) => {
                self.desk.add(place, answer, event);
            }
            // The filter may let more through than is wanted.
            Ok(_) => self.desk.say(Word::Ack(answer)),
            Err(_) => {
                tracing::error!(
                    consumer = %self.part.base, sequence = place.sequence,
                    "the stream holds what is no event; it is skipped"
                );
                self.desk.say(Word::Term(answer));
            }
        }
    }
}
