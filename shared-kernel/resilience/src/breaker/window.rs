//! The outcomes that a breaker judges by: a ring of the last calls, with their
//! sums kept, so that a call costs the same however long the window is.

use crate::BreakerPolicy;

/// One call's outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

/// How many calls, and what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: usize,
    failed: usize,
    slow: usize,
}

impl Tally {
    pub(super) fn add(&mut self, sample: Sample) {
        self.calls += 1;
        self.failed += usize::from(sample.failed);
        self.slow += usize::from(sample.slow);
    }

    fn remove(&mut self, sample: Sample) {
        self.calls -= 1;
        self.failed -= usize::from(sample.failed);
        self.slow -= usize::from(sample.slow);
    }

    /// Whether the failures or the slow calls make up their share of `calls`.
    pub(super) fn is_too_bad(&self, policy: &BreakerPolicy, calls: usize) -> bool {
        let reaches = |count: usize, percent: u32| {
            count > 0 && (count as u64) * 100 >= u64::from(percent) * (calls as u64)
        };
        reaches(self.failed, policy.failure_percent) || reaches(self.slow, policy.slow_percent)
    }
}

/// The last calls.
#[derive(Debug)]
pub(super) struct Window {
    ring: Vec<Sample>,
    /// Where the oldest stands once the ring is full.
    next: usize,
    pub(super) tally: Tally,
}

impl Window {
    pub(super) fn new(size: usize) -> Self {
        Self {
            ring: vec![Sample::default(); size],
            next: 0,
            tally: Tally::default(),
        }
    }

    pub(super) fn push(&mut self, sample: Sample) {
        if self.tally.calls == self.ring.len() {
            self.tally.remove(self.ring[self.next]);
        }
        self.ring[self.next] = sample;
        self.tally.add(sample);
        self.next = (self.next + 1) % self.ring.len();
    }

    pub(super) fn clear(&mut self) {
        self.next = 0;
        self.tally = Tally::default();
    }
}
