//! Merges the sources of a timeline into one story, in causal order.
//!
//! What is tied together (see [`Tie`]) is told in that order: a step begins,
//! another context does what it is asked to and says so, the step ends, and
//! what its commit made of the order comes before the next step begins. Within
//! its own events and its saga's log the order of writing holds. Only what is
//! bound by nothing is placed by the clocks, which may differ, be set back, and
//! show milliseconds where microseconds matter.

use std::collections::VecDeque;

use cleave_vocabulary::Timestamp;

use super::tie::{Cause, Tie};
use super::{Cursor, Item, Told};

/// One thing read from a source, at its position there.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) position: i64,
    pub(crate) item: Item,
    pub(crate) tie: Tie,
}

/// What was read from the three sources, each in the order of its writing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    pub(crate) observed: Vec<Entry>,
    pub(crate) log: Vec<Entry>,
    pub(crate) own: Vec<Entry>,
}

/// The story as it happened, for who reads it as a whole.
pub(crate) fn as_it_happened(sources: Sources) -> Vec<Item> {
    let mut merge = Merge::of(sources);
    // What other contexts did was heard of in any order.
    merge.free = true;
    let mut now = Timestamp::EPOCH;
    let told = std::iter::from_fn(|| merge.next()).map(|(_, entry)| {
        // Nothing is said to have happened before what it follows from.
        now = now.max(entry.item.at);
        Item {
            at: now,
            ..entry.item
        }
    });
    told.collect()
}

/// The story behind `place`, told so that a reader who stops at any item can go
/// on from there: each source in the order of its writing.
pub(crate) fn as_it_became_known(mut place: Cursor, sources: Sources) -> Vec<Told> {
    let mut merge = Merge::of(sources);
    let told = std::iter::from_fn(|| merge.next()).map(|(source, entry)| {
        match source {
            Source::Observed => place.observed = entry.position,
            Source::Log => place.log = entry.position,
            Source::Own => place.own = entry.position,
        }
        Told {
            place,
            item: entry.item,
        }
    });
    told.collect()
}

/// Where an entry comes from; at one moment, what was observed causes what the
/// saga does, and that what the order becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Observed,
    Log,
    Own,
}

/// An entry, and when it was, as far as its place in the story goes.
type Placed = (Timestamp, Entry);

/// What is not told yet.
struct Merge {
    observed: VecDeque<Placed>,
    log: VecDeque<Placed>,
    own: VecDeque<Placed>,
    /// Any entry of those observed may come next, and not only the first.
    free: bool,
}

impl Merge {
    fn of(sources: Sources) -> Self {
        let observed = sources.observed.into_iter();
        Self {
            observed: observed.map(|entry| (entry.item.at, entry)).collect(),
            log: rising(sources.log),
            own: rising(sources.own),
            free: false,
        }
    }

    /// The next entry: of those that wait for no other, the earliest. Where each
    /// waits for another, something observed was heard of out of turn. The saga's
    /// log then goes on without it, as the saga did.
    fn next(&mut self) -> Option<(Source, Entry)> {
        let reach = if self.free { self.observed.len() } else { 1 };
        let observed = self.observed.iter().take(reach).enumerate();
        let observed = observed.map(|(index, placed)| (Source::Observed, index, placed));
        let log = self.log.front().map(|placed| (Source::Log, 0, placed));
        let own = self.own.front().map(|placed| (Source::Own, 0, placed));
        let candidates = observed.chain(log).chain(own);
        let (source, index, _) = candidates.min_by_key(|(source, index, (at, entry))| {
            let waits = self.waits(entry);
            let held_up = waits && *source != Source::Log;
            (waits, held_up, *at, *source, *index)
        })?;
        let rest = match source {
            Source::Observed => &mut self.observed,
            Source::Log => &mut self.log,
            Source::Own => &mut self.own,
        };
        rest.remove(index).map(|(_, entry)| (source, entry))
    }

    /// Whether something that is not told yet comes before this.
    fn waits(&self, entry: &Entry) -> bool {
        let all = self.observed.iter().chain(&self.log).chain(&self.own);
        let mut others = all.map(|(_, other)| other);
        others.any(|other| other.tie != entry.tie && self.precedes(other, entry))
    }

    fn precedes(&self, before: &Entry, after: &Entry) -> bool {
        match (&before.tie, &after.tie) {
            (
                Tie::Own { id, .. } | Tie::Foreign { id, .. },
                Tie::Own { cause, .. } | Tie::Foreign { cause, .. },
            ) => *cause == Some(Cause::Event(*id)),
            (Tie::Line(command), Tie::Own { cause, .. }) => {
                *cause == Some(Cause::Command(command.clone()))
            }
            (Tie::Line(command), Tie::Foreign { cause, .. }) => {
                *cause == Some(Cause::Command(command.clone())) && begins(&before.item)
            }
            (Tie::Foreign { cause, .. }, Tie::Line(command)) => {
                *cause == Some(Cause::Command(command.clone())) && ends(&after.item)
            }
            // What comes behind the last line of its cause.
            (
                Tie::Own {
                    cause: Some(cause), ..
                },
                Tie::Line(_),
            ) => {
                let mut lines = self.log.iter().map(|(_, line)| &line.tie);
                matches!(cause, Cause::Command(command) if !lines.any(|line| *line == Tie::Line(command.clone())))
            }
            _ => false,
        }
    }
}

/// No entry of such a source happened before the one written before it.
fn rising(source: Vec<Entry>) -> VecDeque<Placed> {
    let mut least = Timestamp::EPOCH;
    let placed = source.into_iter().map(|entry| {
        least = least.max(entry.item.at);
        (least, entry)
    });
    placed.collect()
}

fn begins(line: &Item) -> bool {
    line.outcome.as_deref() == Some("started") && line.attempt == Some(1)
}

fn ends(line: &Item) -> bool {
    matches!(
        line.outcome.as_deref(),
        Some("done" | "refused" | "resolved")
    )
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::{EventId, Id};
    use uuid::Uuid;

    use super::super::Kind;
    use super::super::tie::Command;
    use super::*;

    fn item(name: &str, at: i64) -> Item {
        Item {
            at: Timestamp::from_micros(at),
            context: "order".into(),
            kind: Kind::Event,
            name: name.to_owned(),
            outcome: None,
            attempt: None,
            detail: None,
        }
    }

    fn id(number: u128) -> EventId {
        Id::from_uuid(Uuid::from_u128(number))
    }

    /// `reserve` is the cause that is a command, `evt` one that is an event.
    fn own(position: i64, name: &str, at: i64, cause: impl Into<Option<Cause>>) -> Entry {
        let cause = cause.into();
        let id = id(position.unsigned_abs().into());
        Entry {
            position,
            item: item(name, at),
            tie: Tie::Own { id, cause },
        }
    }

    fn foreign(position: i64, name: &str, at: i64, cause: impl Into<Option<Cause>>) -> Entry {
        let cause = cause.into();
        let id = id(1000 + u128::from(position.unsigned_abs()));
        Entry {
            position,
            item: item(name, at),
            tie: Tie::Foreign { id, cause },
        }
    }

    fn line(position: i64, step: &str, outcome: &str, at: i64) -> Entry {
        let item = Item {
            outcome: Some(outcome.to_owned()),
            attempt: Some(1),
            ..item(&format!("{step} {outcome}"), at)
        };
        Entry {
            position,
            item,
            tie: Tie::Line(Command::action(step)),
        }
    }

    fn by(step: &str) -> Cause {
        Cause::Command(Command::action(step))
    }

    /// A whole life, written down by clocks that know only one moment.
    fn sources() -> Sources {
        Sources {
            own: vec![
                own(2, "created", 7, by("create")),
                own(4, "confirmed", 7, by("reserve")),
                own(6, "paid", 7, by("pay")),
                own(8, "shipped", 7, Cause::Event(id(1004))),
            ],
            log: vec![
                line(1, "create", "done", 7),
                line(2, "reserve", "started", 7),
                line(3, "reserve", "done", 7),
                line(4, "pay", "started", 7),
                line(5, "pay", "done", 7),
                line(6, "ship", "started", 7),
                line(7, "ship", "done", 7),
            ],
            observed: vec![
                // Heard of out of turn.
                foreign(1, "completed", 7, by("pay")),
                foreign(2, "reserved", 7, by("reserve")),
                foreign(3, "scheduled", 7, by("ship")),
                foreign(4, "dispatched", 8, None),
            ],
        }
    }

    const STORY: [&str; 15] = [
        "create done",
        "created",
        "reserve started",
        "reserved",
        "reserve done",
        "confirmed",
        "pay started",
        "completed",
        "pay done",
        "paid",
        "ship started",
        "scheduled",
        "ship done",
        "dispatched",
        "shipped",
    ];

    fn names<'a>(story: impl IntoIterator<Item = &'a Item>) -> Vec<&'a str> {
        story.into_iter().map(|item| item.name.as_str()).collect()
    }

    #[test]
    fn a_story_needs_no_clock() {
        let story = as_it_happened(sources());
        assert_eq!(names(&story), STORY);
        assert!(story.is_sorted_by_key(|item| item.at));
    }

    #[test]
    fn nor_does_it_believe_a_wrong_one() {
        let mut sources = sources();
        // One context lives in the past, another in the future.
        sources.observed[0].item.at = Timestamp::from_micros(1);
        sources.observed[1].item.at = Timestamp::from_micros(8);
        let story = as_it_happened(sources);
        assert_eq!(names(&story), STORY);
        assert!(story.is_sorted_by_key(|item| item.at));
    }

    #[test]
    fn live_it_is_told_as_it_became_known() {
        let mut sources = sources();
        sources.observed.swap(0, 1);
        (sources.observed[0].position, sources.observed[1].position) = (1, 2);
        let story = as_it_became_known(Cursor::default(), sources);
        assert_eq!(names(story.iter().map(|told| &told.item)), STORY);
        let places: Vec<_> = story.iter().map(|told| told.place.to_string()).collect();
        assert_eq!(places[..5], ["0-1-0", "2-1-0", "2-2-0", "2-2-1", "2-3-1"]);
    }

    #[test]
    fn live_no_clock_puts_what_an_order_became_before_the_step_that_made_it() {
        let mut sources = sources();
        for event in &mut sources.own {
            event.item.at = Timestamp::from_micros(6);
        }
        let story = as_it_became_known(Cursor::default(), sources);
        let of_others = ["reserved", "completed", "scheduled", "dispatched"];
        let mut told = names(story.iter().map(|told| &told.item));
        told.retain(|name| !of_others.contains(name));
        let mut expected = STORY.to_vec();
        expected.retain(|name| !of_others.contains(name));
        assert_eq!(told, expected);
    }

    #[test]
    fn whoever_stops_anywhere_goes_on_with_the_rest() {
        let whole = as_it_became_known(Cursor::default(), sources());
        assert_eq!(whole.len(), STORY.len());
        for (read, told) in whole.iter().enumerate() {
            let mut rest = sources();
            rest.own.retain(|entry| entry.position > told.place.own);
            rest.log.retain(|entry| entry.position > told.place.log);
            rest.observed
                .retain(|entry| entry.position > told.place.observed);
            let resumed = as_it_became_known(told.place, rest);
            assert_eq!(resumed, whole[read + 1..], "behind {}", told.place);
        }
    }

    #[test]
    fn a_step_that_follows_a_refusal_waits_for_nothing() {
        let story = as_it_happened(Sources {
            own: vec![own(2, "cancelled", 40, by("cancel"))],
            log: vec![
                line(1, "pay", "refused", 10),
                line(2, "release", "started", 10),
                line(3, "release", "done", 20),
                line(4, "cancel", "done", 41),
            ],
            observed: vec![foreign(1, "failed", 11, by("pay"))],
        });
        let expected = [
            "failed",
            "pay refused",
            "release started",
            "release done",
            "cancel done",
            "cancelled",
        ];
        assert_eq!(names(&story), expected);
    }

    #[test]
    fn a_clock_set_back_does_not_turn_the_log_around() {
        let story = as_it_happened(Sources {
            log: vec![line(1, "pay", "started", 50), line(2, "pay", "done", 30)],
            own: vec![own(2, "created", 40, None)],
            ..Sources::default()
        });
        assert_eq!(names(&story), ["created", "pay started", "pay done"]);
        assert!(story.is_sorted_by_key(|item| item.at));
    }
}
