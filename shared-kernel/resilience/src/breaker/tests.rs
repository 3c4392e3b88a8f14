//! The breaker by example, and against a model that keeps every outcome.

use cleave_vocabulary::ManualClock;
use proptest::prelude::*;

use super::*;

const MOMENT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(2);

fn policy() -> BreakerPolicy {
    BreakerPolicy {
        window: 4,
        minimum_calls: 3,
        failure_percent: 50,
        slow_after: Duration::from_secs(1),
        slow_percent: 75,
        open_for: Duration::from_secs(10),
        half_open_calls: 2,
    }
}

fn breaker(policy: BreakerPolicy) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::default();
    let breaker = CircuitBreaker::new("test", policy, Arc::new(clock.clone()));
    (breaker, clock)
}

fn call(breaker: &CircuitBreaker, failed: bool, took: Duration) {
    let permit = breaker.try_acquire().expect("let through");
    permit.record(failed, took);
}

fn open(breaker: &CircuitBreaker) {
    (0..3).for_each(|_| call(breaker, true, MOMENT));
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn nothing_is_judged_before_the_minimum() {
    let (breaker, _) = breaker(policy());
    call(&breaker, true, MOMENT);
    call(&breaker, true, MOMENT);
    assert_eq!(breaker.state(), BreakerState::Closed);
    call(&breaker, true, MOMENT);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert!(breaker.try_acquire().is_none());
}

#[test]
fn the_window_slides() {
    let (breaker, _) = breaker(policy());
    (0..1000).for_each(|_| call(&breaker, false, MOMENT));
    call(&breaker, true, MOMENT);
    assert_eq!(breaker.state(), BreakerState::Closed);
    call(&breaker, true, MOMENT);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn old_failures_are_forgotten() {
    let (breaker, _) = breaker(policy());
    for _ in 0..100 {
        call(&breaker, true, MOMENT);
        (0..3).for_each(|_| call(&breaker, false, MOMENT));
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn slow_calls_open_it_too() {
    let (breaker, _) = breaker(policy());
    call(&breaker, false, LONG);
    call(&breaker, false, MOMENT);
    call(&breaker, false, LONG);
    assert_eq!(breaker.state(), BreakerState::Closed);
    call(&breaker, false, LONG);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn it_tries_after_a_while_and_closes_when_the_trials_succeed() {
    let (breaker, clock) = breaker(policy());
    open(&breaker);
    clock.advance(Duration::from_secs(9));
    assert!(breaker.try_acquire().is_none());
    clock.advance(Duration::from_secs(1));
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    let first = breaker.try_acquire().expect("a trial");
    let second = breaker.try_acquire().expect("a trial");
    assert!(breaker.try_acquire().is_none());
    first.record(false, MOMENT);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert!(breaker.try_acquire().is_none());
    second.record(false, MOMENT);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn it_opens_again_as_soon_as_the_trials_cannot_succeed() {
    let (breaker, clock) = breaker(policy());
    open(&breaker);
    clock.advance(Duration::from_secs(10));
    call(&breaker, true, MOMENT);
    assert_eq!(breaker.state(), BreakerState::Open);
    clock.advance(Duration::from_secs(9));
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn a_dropped_trial_leaves_its_place_to_another() {
    let (breaker, clock) = breaker(policy());
    open(&breaker);
    clock.advance(Duration::from_secs(10));
    for _ in 0..10 {
        let _both = (
            breaker.try_acquire().expect("a trial"),
            breaker.try_acquire().expect("a trial"),
        );
        assert!(breaker.try_acquire().is_none());
    }
    call(&breaker, false, MOMENT);
    call(&breaker, false, MOMENT);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn late_outcomes_do_not_count_in_another_era() {
    let (breaker, clock) = breaker(policy());
    let late = breaker.try_acquire().expect("let through");
    let later = breaker.try_acquire().expect("let through");
    open(&breaker);
    clock.advance(Duration::from_secs(10));
    let trial = breaker.try_acquire().expect("a trial");
    late.record(true, MOMENT);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    trial.record(false, MOMENT);
    later.record(false, MOMENT);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
}

#[test]
fn a_person_holds_it_open_until_a_person_lets_go() {
    let (breaker, clock) = breaker(policy());
    breaker.control(BreakerControl::ForcedOpen);
    clock.advance(Duration::from_hours(1));
    assert!(breaker.try_acquire().is_none());
    assert_eq!(breaker.state(), BreakerState::ForcedOpen);
    breaker.control(BreakerControl::Auto);
    assert_eq!(breaker.state(), BreakerState::Closed);
    open(&breaker);
}

#[test]
fn auto_leaves_a_breaker_that_judges_by_itself_alone() {
    let (breaker, _) = breaker(policy());
    open(&breaker);
    breaker.control(BreakerControl::Auto);
    assert_eq!(breaker.state(), BreakerState::Open);
    breaker.control(BreakerControl::Closed);
    assert_eq!(breaker.state(), BreakerState::Closed);
    call(&breaker, true, MOMENT);
    call(&breaker, true, MOMENT);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn no_sizes_are_as_good_as_one() {
    let (breaker, clock) = breaker(BreakerPolicy {
        window: 0,
        minimum_calls: 0,
        half_open_calls: 0,
        ..policy()
    });
    call(&breaker, false, MOMENT);
    call(&breaker, true, MOMENT);
    assert_eq!(breaker.state(), BreakerState::Open);
    clock.advance(Duration::from_secs(10));
    call(&breaker, false, MOMENT);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

/// What may be done to a breaker; calls are named by a number that is taken
/// modulo those under way.
#[derive(Debug, Clone)]
enum Step {
    Begin,
    End {
        which: usize,
        failed: bool,
        slow: bool,
    },
    Drop {
        which: usize,
    },
    Wait {
        seconds: u64,
    },
    Control(BreakerControl),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Begin),
        6 => (any::<usize>(), any::<bool>(), prop::bool::weighted(0.3))
            .prop_map(|(which, failed, slow)| Step::End { which, failed, slow }),
        1 => any::<usize>().prop_map(|which| Step::Drop { which }),
        1 => (0..15_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => prop_oneof![
            Just(BreakerControl::Closed),
            Just(BreakerControl::ForcedOpen),
            Just(BreakerControl::Auto),
        ]
        .prop_map(Step::Control),
    ]
}

/// A breaker that keeps all that it was told since it last changed, and adds up
/// anew each time.
struct Model {
    policy: BreakerPolicy,
    state: BreakerState,
    era: u32,
    outcomes: Vec<(bool, bool)>,
    trials: usize,
    waited: u64,
}

impl Model {
    fn become_(&mut self, state: BreakerState) {
        self.state = state;
        self.era += 1;
        self.outcomes.clear();
        self.trials = 0;
        self.waited = 0;
    }

    fn shown(&self) -> BreakerState {
        if self.state == BreakerState::Open && self.waited >= self.policy.open_for.as_secs() {
            BreakerState::HalfOpen
        } else {
            self.state
        }
    }

    fn begin(&mut self) -> Option<u32> {
        if self.state != self.shown() {
            self.become_(BreakerState::HalfOpen);
        }
        let room = self.trials + self.outcomes.len() < self.policy.half_open_calls;
        match self.state {
            BreakerState::Closed => Some(self.era),
            BreakerState::HalfOpen if room => {
                self.trials += 1;
                Some(self.era)
            }
            _ => None,
        }
    }

    fn end(&mut self, era: u32, outcome: Option<(bool, bool)>) {
        if era != self.era {
            return;
        }
        if self.state == BreakerState::HalfOpen {
            self.trials -= 1;
        }
        self.outcomes.extend(outcome);
        let half_open = self.state == BreakerState::HalfOpen;
        let last = if half_open {
            usize::MAX
        } else {
            self.policy.window
        };
        let seen: Vec<_> = self.outcomes.iter().rev().take(last).collect();
        let of = if half_open {
            self.policy.half_open_calls
        } else {
            seen.len()
        };
        let bad = |bad: usize, percent: u32| bad > 0 && bad * 100 >= percent as usize * of;
        let failed = bad(
            seen.iter().filter(|(failed, _)| *failed).count(),
            self.policy.failure_percent,
        );
        let slow = bad(
            seen.iter().filter(|(_, slow)| *slow).count(),
            self.policy.slow_percent,
        );
        let judged = outcome.is_some() && (half_open || seen.len() >= self.policy.minimum_calls);
        if judged && (failed || slow) {
            self.become_(BreakerState::Open);
        } else if half_open && self.outcomes.len() == self.policy.half_open_calls {
            self.become_(BreakerState::Closed);
        }
    }

    fn control(&mut self, control: BreakerControl) {
        match control {
            BreakerControl::Closed => self.become_(BreakerState::Closed),
            BreakerControl::ForcedOpen => self.become_(BreakerState::ForcedOpen),
            BreakerControl::Auto if self.state == BreakerState::ForcedOpen => {
                self.become_(BreakerState::Closed);
            }
            BreakerControl::Auto => {}
        }
    }
}

proptest! {
    #[test]
    fn it_does_what_the_model_does(
        window in 1..8_usize,
        minimum in 1..6_usize,
        trials in 1..4_usize,
        failure_percent in 1..=101_u32,
        slow_percent in 1..=101_u32,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let policy = BreakerPolicy {
            window,
            minimum_calls: minimum.min(window),
            half_open_calls: trials,
            failure_percent,
            slow_percent,
            ..policy()
        };
        let (breaker, clock) = breaker(policy.clone());
        let mut model = Model {
            policy,
            state: BreakerState::Closed,
            era: 0,
            outcomes: Vec::new(),
            trials: 0,
            waited: 0,
        };
        let mut calls = Vec::new();
        for step in steps {
            match step {
                Step::Begin => match (breaker.try_acquire(), model.begin()) {
                    (Some(permit), Some(era)) => calls.push((permit, era)),
                    (None, None) => {}
                    (permit, era) => prop_assert!(false, "{} but {era:?}", permit.is_some()),
                },
                Step::End { which, failed, slow } if !calls.is_empty() => {
                    let (permit, era) = calls.swap_remove(which % calls.len());
                    permit.record(failed, if slow { LONG } else { MOMENT });
                    model.end(era, Some((failed, slow)));
                }
                Step::Drop { which } if !calls.is_empty() => {
                    let (permit, era) = calls.swap_remove(which % calls.len());
                    drop(permit);
                    model.end(era, None);
                }
                Step::End { .. } | Step::Drop { .. } => {}
                Step::Wait { seconds } => {
                    clock.advance(Duration::from_secs(seconds));
                    model.waited += seconds;
                }
                Step::Control(control) => {
                    breaker.control(control);
                    model.control(control);
                }
            }
            prop_assert_eq!(breaker.state(), model.shown());
        }
    }
}
