//! Merges the sources of a timeline into one story.
//!
//! Within its own events and its saga's log the order of writing is the order
//! of things, whatever a clock that was set back may say. What other contexts
//! did is placed by their word on when it happened, as long as that lies
//! between the order's beginning and the moment it was heard of here: their
//! clocks may be wrong, and their events may arrive out of turn.

use std::collections::VecDeque;

use cleave_vocabulary::Timestamp;

use super::{Cursor, Item, Told};

/// What was read from one source: positions and items, in the order of writing.
pub(crate) type Source = Vec<(i64, Item)>;

/// What was read from the three of them.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) own: Source,
    pub(crate) log: Source,
    pub(crate) observed: Source,
}

/// The story as it happened, for who reads it as a whole.
pub(crate) fn as_it_happened(mut sources: Sources) -> Vec<Item> {
    // Stable, so that what is said to have happened at once stays in the order
    // in which it was heard of.
    sources.observed.sort_by_key(|(_, item)| item.at);
    as_it_became_known(Cursor::default(), sources)
        .into_iter()
        .map(|told| told.item)
        .collect()
}

/// The story behind `place`, told so that a reader who stops at any item can go
/// on from there: each source in the order of its writing.
pub(crate) fn as_it_became_known(mut place: Cursor, sources: Sources) -> Vec<Told> {
    // At one moment: what was observed causes what the saga does, and that what
    // the order becomes.
    let mut heads = [
        Head::of(sources.observed, |place, at| place.observed = at),
        Head::of(sources.log, |place, at| place.log = at),
        Head::of(sources.own, |place, at| place.own = at),
    ];
    let mut story = Vec::new();
    while let Some(next) = heads
        .iter_mut()
        .filter(|head| head.at().is_some())
        .min_by_key(|head| head.at())
    {
        if let Some((position, item)) = next.take() {
            (next.advance)(&mut place, position);
            story.push(Told { place, item });
        }
    }
    story
}

/// The rest of one source.
struct Head {
    rest: VecDeque<(i64, Item)>,
    /// No item of a source happened before the one written before it.
    least: Timestamp,
    advance: fn(&mut Cursor, i64),
}

impl Head {
    fn of(source: Source, advance: fn(&mut Cursor, i64)) -> Self {
        Self {
            rest: source.into(),
            least: Timestamp::EPOCH,
            advance,
        }
    }

    fn at(&self) -> Option<Timestamp> {
        let (_, item) = self.rest.front()?;
        Some(item.at.max(self.least))
    }

    fn take(&mut self) -> Option<(i64, Item)> {
        let (position, mut item) = self.rest.pop_front()?;
        item.at = item.at.max(self.least);
        self.least = item.at;
        Some((position, item))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
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

    fn source(items: &[(i64, &str, i64)]) -> Source {
        items
            .iter()
            .map(|(position, name, at)| (*position, item(name, *at)))
            .collect()
    }

    fn sources() -> Sources {
        Sources {
            own: source(&[(2, "pending", 10), (3, "created", 10), (8, "paid", 40)]),
            log: source(&[(1, "reserve", 20), (2, "pay", 40)]),
            // Heard of in this order, though the second happened first.
            observed: source(&[(1, "completed", 39), (2, "reserved", 19)]),
        }
    }

    fn names(story: &[Item]) -> Vec<&str> {
        story.iter().map(|item| item.name.as_str()).collect()
    }

    #[test]
    fn as_a_whole_it_is_told_as_it_happened() {
        let story = as_it_happened(sources());
        assert_eq!(
            names(&story),
            [
                "pending",
                "created",
                "reserved",
                "reserve",
                "completed",
                "pay",
                "paid"
            ]
        );
        assert!(story.is_sorted_by_key(|item| item.at));
    }

    #[test]
    fn live_it_is_told_as_it_became_known() {
        let story = as_it_became_known(Cursor::default(), sources());
        let items: Vec<_> = story.iter().map(|told| told.item.clone()).collect();
        assert_eq!(
            names(&items),
            [
                "pending",
                "created",
                "reserve",
                "completed",
                "reserved",
                "pay",
                "paid"
            ]
        );
        let places: Vec<_> = story.iter().map(|told| told.place.to_string()).collect();
        assert_eq!(
            places,
            [
                "2-0-0", "3-0-0", "3-1-0", "3-1-1", "3-1-2", "3-2-2", "8-2-2"
            ]
        );
    }

    #[test]
    fn whoever_stops_anywhere_goes_on_with_the_rest() {
        let whole = as_it_became_known(Cursor::default(), sources());
        for (read, told) in whole.iter().enumerate() {
            let mut rest = sources();
            rest.own.retain(|(position, _)| *position > told.place.own);
            rest.log.retain(|(position, _)| *position > told.place.log);
            rest.observed
                .retain(|(position, _)| *position > told.place.observed);
            let resumed = as_it_became_known(told.place, rest);
            let names: Vec<_> = resumed.iter().map(|told| &told.item.name).collect();
            let expected: Vec<_> = whole[read + 1..]
                .iter()
                .map(|told| &told.item.name)
                .collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn a_clock_set_back_does_not_turn_the_log_around() {
        let story = as_it_happened(Sources {
            log: source(&[(1, "started", 50), (2, "done", 30)]),
            own: source(&[(2, "confirmed", 40)]),
            ..Sources::default()
        });
        assert_eq!(names(&story), ["confirmed", "started", "done"]);
        assert!(story.is_sorted_by_key(|item| item.at));
    }
}
