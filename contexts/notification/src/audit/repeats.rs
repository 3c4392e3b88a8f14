//! Finds what comes twice among more things than fit in memory: it remembers a
//! hash of each, and where those of all are too many, those of one share at a
//! time, in as many rounds over the things as there are shares.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};

/// Hashes kept at a time: some sixteen megabytes.
const ROOM: usize = 1 << 20;

/// Whoever asks goes over all things once for each round.
pub(super) struct Repeats {
    hasher: RandomState,
    seen: HashSet<u64>,
    room: usize,
    shares: u64,
    round: u64,
}

impl Repeats {
    /// In the first round.
    pub(super) fn new() -> Self {
        Self::with_room(ROOM)
    }

    fn with_room(room: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            seen: HashSet::new(),
            room,
            shares: 1,
            round: 0,
        }
    }

    /// Whether this is the round that sees every thing for the first time.
    pub(super) fn is_first_round(&self) -> bool {
        self.round == 0
    }

    /// Whether `thing` was seen in this round before: almost certainly, for two
    /// things may have the same hash.
    pub(super) fn seems_repeated(&mut self, thing: &impl Hash) -> bool {
        let hash = self.hasher.hash_one(thing);
        if hash % self.shares != self.round {
            return false;
        }
        if !self.seen.insert(hash) {
            return true;
        }
        // Later rounds have no more than the first: the shares are about alike.
        while self.is_first_round() && self.seen.len() > self.room {
            self.shares *= 2;
            self.seen.retain(|hash| hash % self.shares == 0);
        }
        false
    }

    /// Begins another round; false where all shares had theirs.
    pub(super) fn next_round(&mut self) -> bool {
        self.seen.clear();
        self.round += 1;
        self.round < self.shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What seems repeated among `things`, and in how many rounds.
    fn repeated(things: &[u32], room: usize) -> (Vec<u32>, u64) {
        let mut repeats = Repeats::with_room(room);
        let mut found = Vec::new();
        loop {
            for thing in things {
                if repeats.seems_repeated(thing) {
                    found.push(*thing);
                }
                assert!(repeats.seen.len() <= 2 * room);
            }
            if !repeats.next_round() {
                found.sort_unstable();
                return (found, repeats.round);
            }
        }
    }

    #[test]
    fn what_comes_twice_is_found_in_one_round_or_many() {
        let mut things: Vec<u32> = (0..10_000).collect();
        things.extend([7, 4_711, 9_999]);
        assert_eq!(repeated(&things, 20_000), (vec![7, 4_711, 9_999], 1));
        let (found, rounds) = repeated(&things, 1_000);
        assert_eq!(found, [7, 4_711, 9_999]);
        assert!((10..=32).contains(&rounds), "{rounds}");
    }

    #[test]
    fn nothing_is_repeated_among_nothing() {
        assert_eq!(repeated(&[], 1), (vec![], 1));
    }
}
