//! The circuit breaker (Nygard, *Release It!*), over a ring of the last calls.
//! It opens when too many of them failed or were slow; after a while it lets a
//! few calls try, and closes or opens again by what came of those. A call in
//! flight holds a [`Permit`]; one that is dropped counts for nothing.

#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cleave_vocabulary::{Clock, Timestamp};
use metrics::gauge;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use self::window::{Sample, Tally, Window};
use crate::BreakerPolicy;
use crate::policy::LONGEST_WINDOW;

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// Some calls try.
    HalfOpen,
    /// A person holds it open.
    ForcedOpen,
}

/// What a person may ask of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerControl {
    /// Close it, and forget the calls it judged by.
    Closed,
    /// Hold it open.
    ForcedOpen,
    /// Let it judge by itself (again): one that was held open closes, and
    /// judges by the calls to come.
    Auto,
}

/// A circuit breaker.
pub struct CircuitBreaker {
    name: Arc<str>,
    policy: BreakerPolicy,
    clock: Arc<dyn Clock>,
    /// The core's era, and in the lowest bit whether calls pass: a closed
    /// breaker lets a call through without the lock.
    gate: AtomicU64,
    core: Mutex<Core>,
}

struct Core {
    /// Rises with every change of state: an outcome counts only in the era in
    /// which its call began.
    era: u64,
    state: State,
    window: Window,
}

enum State {
    Closed,
    Open { until: Timestamp },
    HalfOpen { in_flight: usize, tally: Tally },
    ForcedOpen,
}

impl CircuitBreaker {
    /// Closed, with nothing to judge by. Sizes are at least one; the window is
    /// at most 65,536 calls.
    pub fn new(
        name: impl Into<Arc<str>>,
        mut policy: BreakerPolicy,
        clock: Arc<dyn Clock>,
    ) -> Self {
        policy.window = policy.window.clamp(1, LONGEST_WINDOW);
        policy.minimum_calls = policy.minimum_calls.clamp(1, policy.window);
        policy.half_open_calls = policy.half_open_calls.max(1);
        let name = name.into();
        show(&name, BreakerState::Closed);
        Self {
            name,
            core: Mutex::new(Core {
                era: 0,
                state: State::Closed,
                window: Window::new(policy.window),
            }),
            policy,
            clock,
            gate: AtomicU64::new(gate(0, true)),
        }
    }

    /// Leave to make one call, unless the breaker is open or enough calls try already.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        let gate = self.gate.load(Ordering::Acquire);
        if gate & 1 == 1 {
            return Some(Permit::new(self, gate >> 1, false));
        }
        let mut core = self.core.lock();
        if let State::Open { until } = core.state
            && until <= self.clock.now()
        {
            let state = State::HalfOpen {
                in_flight: 0,
                tally: Tally::default(),
            };
            self.change(&mut core, state);
        }
        let era = core.era;
        match &mut core.state {
            State::Closed => Some(Permit::new(self, era, false)),
            State::HalfOpen { in_flight, tally }
                if *in_flight + tally.calls < self.policy.half_open_calls =>
            {
                *in_flight += 1;
                Some(Permit::new(self, era, true))
            }
            State::HalfOpen { .. } | State::Open { .. } | State::ForcedOpen => None,
        }
    }

    /// Where it stands: half open as soon as the next call would be let through to try.
    pub fn state(&self) -> BreakerState {
        match self.core.lock().state {
            State::Open { until } if until <= self.clock.now() => BreakerState::HalfOpen,
            ref state => state.shown(),
        }
    }

    /// Moves it by hand.
    pub fn control(&self, control: BreakerControl) {
        let mut core = self.core.lock();
        let state = match (control, &core.state) {
            (BreakerControl::Closed, _) | (BreakerControl::Auto, State::ForcedOpen) => {
                core.window.clear();
                State::Closed
            }
            (BreakerControl::ForcedOpen, _) => State::ForcedOpen,
            (BreakerControl::Auto, _) => return,
        };
        self.change(&mut core, state);
    }

    /// A call of `era` ended.
    fn record(&self, era: u64, sample: Sample) {
        let mut core = self.core.lock();
        if core.era != era {
            return;
        }
        let Core { state, window, .. } = &mut *core;
        let verdict = match state {
            State::Closed => {
                window.push(sample);
                let calls = window.tally.calls;
                let enough = calls >= self.policy.minimum_calls;
                (enough && window.tally.is_too_bad(&self.policy, calls)).then(|| self.open())
            }
            State::HalfOpen { in_flight, tally } => {
                *in_flight -= 1;
                tally.add(sample);
                let trials = self.policy.half_open_calls;
                if tally.is_too_bad(&self.policy, trials) {
                    Some(self.open())
                } else {
                    (tally.calls == trials).then_some(State::Closed)
                }
            }
            State::Open { .. } | State::ForcedOpen => None,
        };
        if let Some(state) = verdict {
            core.window.clear();
            self.change(&mut core, state);
        }
    }

    /// A call of `era` that tried was dropped: another may try in its place.
    fn give_back(&self, era: u64) {
        let mut core = self.core.lock();
        if core.era == era
            && let State::HalfOpen { in_flight, .. } = &mut core.state
        {
            *in_flight -= 1;
        }
    }

    fn open(&self) -> State {
        State::Open {
            until: self.clock.now().plus(self.policy.open_for),
        }
    }

    /// Under the lock, so that logs and gauge tell the changes in their order.
    fn change(&self, core: &mut Core, state: State) {
        let (from, to) = (core.state.shown(), state.shown());
        core.era += 1;
        core.state = state;
        let closed = to == BreakerState::Closed;
        self.gate.store(gate(core.era, closed), Ordering::Release);
        show(&self.name, to);
        if from != to {
            tracing::warn!(name = %self.name, ?from, ?to, "circuit breaker changed");
        }
    }
}

fn gate(era: u64, closed: bool) -> u64 {
    era << 1 | u64::from(closed)
}

impl State {
    fn shown(&self) -> BreakerState {
        match self {
            Self::Closed => BreakerState::Closed,
            Self::Open { .. } => BreakerState::Open,
            Self::HalfOpen { .. } => BreakerState::HalfOpen,
            Self::ForcedOpen => BreakerState::ForcedOpen,
        }
    }
}

/// On the gauge: the higher, the more closed to calls.
fn show(name: &Arc<str>, state: BreakerState) {
    let level = match state {
        BreakerState::Closed => 0.0,
        BreakerState::HalfOpen => 1.0,
        BreakerState::Open => 2.0,
        BreakerState::ForcedOpen => 3.0,
    };
    gauge!("cleave_port_breaker_state", "name" => name.clone()).set(level);
}

/// Leave to make one call. Dropped without a record, it counts for nothing, and
/// a place to try goes to another call.
#[must_use = "a permit that is dropped counts for nothing"]
pub struct Permit<'a> {
    breaker: &'a CircuitBreaker,
    era: u64,
    tries: bool,
}

impl<'a> Permit<'a> {
    fn new(breaker: &'a CircuitBreaker, era: u64, tries: bool) -> Self {
        Self {
            breaker,
            era,
            tries,
        }
    }

    /// The call ended after `took`. Returns whether that counts as slow.
    pub fn record(mut self, failed: bool, took: Duration) -> bool {
        self.tries = false;
        let slow = took > self.breaker.policy.slow_after;
        self.breaker.record(self.era, Sample { failed, slow });
        slow
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.tries {
            self.breaker.give_back(self.era);
        }
    }
}
