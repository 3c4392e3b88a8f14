//! How freely units share transactions, by what came of it lately.

use std::cell::Cell;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Fault;

/// How a unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// In a group, beside others.
    Freely,
    /// In a group, behind the one before: groups of one process can't wait for each
    /// other's locks.
    InTurn,
    /// In a transaction of its own, beside others.
    Alone,
}

/// Remembers groups that failed. One that met a lock, or a deadlock, makes the next
/// groups run in turn, and each further one for twice as long; where even those meet
/// locks (another process holds them), and behind a unit that could not be kept with
/// the others, units run alone for a while.
pub(super) struct Caution {
    manner: Cell<Manner>,
    /// How many more run in this manner.
    left: Cell<u32>,
    /// How many groups run in turn behind the next that meets a lock.
    span: Cell<u32>,
    turn: Semaphore,
}

/// Units that run alone, and groups that run in turn the first time.
const FIRST: u32 = 32;
/// Groups that run in turn, at the most.
const LONGEST: u32 = 8192;

impl Default for Caution {
    fn default() -> Self {
        Self {
            manner: Cell::new(Manner::Freely),
            left: Cell::default(),
            span: Cell::new(FIRST),
            turn: Semaphore::new(1),
        }
    }
}

impl Caution {
    /// How the next unit runs.
    pub(super) fn next(&self) -> Manner {
        match self.left.get() {
            0 => self.manner.set(Manner::Freely),
            left => self.left.set(left - 1),
        }
        self.manner.get()
    }

    /// Its turn, where groups run in turn; for as long as what this returns is kept.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turn.acquire().await.ok()
    }

    /// Notes why a group could not be kept.
    pub(super) fn warn(&self, fault: Option<Fault>) {
        let locked = matches!(fault, Some(Fault::TooSlow | Fault::Collision));
        if locked && self.manner.get() == Manner::Freely {
            let span = self.span.get();
            self.span.set((span * 2).min(LONGEST));
            self.set(Manner::InTurn, span);
        } else if self.manner.get() == Manner::Freely || locked {
            self.set(Manner::Alone, FIRST);
        }
    }

    fn set(&self, manner: Manner, left: u32) {
        self.manner.set(manner);
        self.left.set(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many run in this manner, until one runs freely.
    fn run(caution: &Caution, manner: Manner) -> u32 {
        let mut count = 0;
        loop {
            match caution.next() {
                Manner::Freely => return count,
                other => assert_eq!(other, manner),
            }
            count += 1;
        }
    }

    #[test]
    fn groups_that_meet_locks_run_in_turn_and_each_time_for_longer() {
        let caution = Caution::default();
        assert_eq!(caution.next(), Manner::Freely);
        for span in [32, 64, 128] {
            caution.warn(Some(Fault::TooSlow));
            assert_eq!(run(&caution, Manner::InTurn), span);
        }
        for _ in 0..100 {
            caution.warn(Some(Fault::Collision));
            run(&caution, Manner::InTurn);
        }
        caution.warn(Some(Fault::Collision));
        assert_eq!(run(&caution, Manner::InTurn), LONGEST);
    }

    #[test]
    fn units_run_alone_behind_one_that_could_not_be_kept() {
        let caution = Caution::default();
        caution.warn(None);
        assert_eq!(run(&caution, Manner::Alone), 32);
    }

    #[test]
    fn units_run_alone_where_groups_in_turn_meet_locks() {
        let caution = Caution::default();
        caution.warn(Some(Fault::TooSlow));
        caution.warn(None);
        assert_eq!(
            caution.next(),
            Manner::InTurn,
            "one refusal among them changes nothing"
        );
        caution.warn(Some(Fault::TooSlow));
        assert_eq!(run(&caution, Manner::Alone), 32);
    }
}
