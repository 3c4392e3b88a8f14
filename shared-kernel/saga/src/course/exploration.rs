//! Walks through everything that can happen to a saga, and looks whether the
//! promises hold in each place it can come to.

use std::collections::{HashSet, VecDeque};

use super::*;
use crate::position::State;
use crate::{Exhausted, SagaStatus, StepKind, StepPolicy};

const STEPS: usize = 4;
const PIVOT: usize = 2;

fn metas(exhausted: Exhausted) -> Vec<StepMeta> {
    let names = [("a", "-a"), ("b", "-b"), ("p", "-p"), ("r", "-r")];
    let kinds = [
        StepKind::Compensatable,
        StepKind::Compensatable,
        StepKind::Pivot,
        StepKind::Retriable,
    ];
    let meta = |((name, undo_name), kind)| StepMeta {
        name,
        undo_name,
        kind,
        policy: StepPolicy {
            attempts: 2,
            exhausted,
            ..StepPolicy::default()
        },
    };
    names.into_iter().zip(kinds).map(meta).collect()
}

/// A place in the walk: the saga, and what is true of the world around it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    at: Position,
    cancelled: bool,
    /// The driver that began the attempt is gone.
    recovered: bool,
    /// Steps that may have had an effect which is not undone.
    traces: [bool; STEPS],
    /// Steps whose hooks were told that they are done, and not that they are undone.
    told: [bool; STEPS],
}

impl Place {
    fn start() -> Self {
        let mut place = Self {
            at: Position::started(Phase::Acting, 0),
            cancelled: false,
            recovered: false,
            traces: [false; STEPS],
            told: [false; STEPS],
        };
        place.traces[0] = true;
        place
    }

    /// What can happen here.
    fn events(&self) -> Vec<Event> {
        let error = || "x".to_owned();
        let refusal = || Refusal::new("no", "no");
        let mut events = vec![Event::Unwritten(error())];
        match (self.at.state, self.at.phase) {
            (State::Ready | State::Failed, _) => events.push(Event::Begin),
            (_, Phase::Undoing) => events.extend([
                Event::Undone(Undo::Done),
                Event::Undone(Undo::Failed(error())),
            ]),
            (State::Started, _) if !self.recovered => events.extend([
                Event::Acted(Action::Done(Value::Null)),
                Event::Acted(Action::Refused(refusal())),
                Event::Acted(Action::Failed(error())),
                Event::Acted(Action::Unknown(error())),
            ]),
            (State::Started | State::Unknown, _) => events.extend([
                Event::Resolved(Resolution::Done(Value::Null)),
                Event::Resolved(Resolution::Refused(refusal())),
                Event::Resolved(Resolution::Never),
                Event::Resolved(Resolution::Unknown(error())),
            ]),
        }
        events
    }

    /// Where it leads, and what was decided.
    fn after(&self, metas: &[StepMeta], event: &Event, stopping: bool) -> (Self, Move) {
        let decided = decide(metas, &self.at, event, self.circumstances(stopping));
        let mut place = self.clone();
        place.at = decided.next;
        place.recovered = false;
        let step = self.at.step;
        match event {
            Event::Acted(Action::Refused(_)) | Event::Resolved(Resolution::Refused(_)) => {
                place.traces[step] = false;
            }
            Event::Undone(Undo::Done) => place.traces[step] = false,
            _ => {}
        }
        match decided.hook {
            Hook::Done(_) => place.told[step] = true,
            Hook::Undone => place.told[step] = false,
            _ => {}
        }
        if decided.next.state == State::Started && decided.next.phase != Phase::Undoing {
            place.traces[decided.next.step] = true;
        }
        (place, decided)
    }

    fn circumstances(&self, stopping: bool) -> Circumstances {
        Circumstances {
            cancelled: self.cancelled,
            stopping,
            recovered: self.recovered,
            compensation_attempts: 2,
            luck: 0,
        }
    }

    /// What may happen without the saga's doing: a cancellation, a crash, a person.
    fn visited(&self) -> Vec<Self> {
        let mut places = Vec::new();
        if self.at.phase == Phase::Acting && !self.at.status.is_settled() && !self.cancelled {
            places.push(Self {
                cancelled: true,
                ..self.clone()
            });
        }
        if self.at.state == State::Started && !self.recovered {
            places.push(Self {
                recovered: true,
                ..self.clone()
            });
        }
        if self.at.status == SagaStatus::Stuck {
            let mut retried = self.clone();
            retried.at.status = SagaStatus::Compensating;
            retried.at.tries = 0;
            places.push(retried);
        }
        places
    }

    /// Whether the walk goes on here: counts that rise for ever show nothing new.
    fn is_near(&self) -> bool {
        self.at.attempt <= 5 && self.at.asked <= 3
    }
}

fn check(from: &Place, event: &Event, stopping: bool, to: &Place, decided: &Move) {
    let told = format!(
        "{event:?} (stopping: {stopping}) at {:?}: {decided:?}",
        from.at
    );
    let settled = to.at.status.is_settled();
    assert_eq!(decided.rest == Rest::Settled, settled, "{told}");
    match decided.rest {
        Rest::GoOn => assert!(
            matches!(to.at.state, State::Started | State::Unknown),
            "{told}"
        ),
        Rest::For(_) => assert_ne!(to.at.state, State::Started, "{told}"),
        Rest::Settled => {}
    }
    match (from.at.phase, to.at.phase) {
        (one, other) if one == other => {}
        (Phase::Acting, Phase::Undoing) => {}
        (Phase::Acting, Phase::Forward) => assert!(!from.cancelled, "{told}"),
        _ => panic!("no way back: {told}"),
    }
    let begins = decided.next.state == State::Started;
    if stopping && !matches!(event, Event::Begin) {
        assert!(!begins, "{told}");
    }
    if begins && to.at.phase == Phase::Acting {
        assert!(!from.cancelled, "{told}");
    }
    if to.at.phase == Phase::Acting {
        assert!(!to.told[PIVOT], "{told}");
    }
    match to.at.status {
        SagaStatus::Compensated => {
            assert_eq!(to.traces, [false; STEPS], "{told}");
            assert_eq!(to.told, [false; STEPS], "{told}");
        }
        SagaStatus::Completed => assert_eq!(to.told, [true; STEPS], "{told}"),
        _ => {}
    }
}

/// Once everything works again, it comes to an end.
fn ends(metas: &[StepMeta], mut place: Place) -> bool {
    for _ in 0..40 {
        if place.at.status.is_settled() {
            return true;
        }
        let event = match (place.at.state, place.at.phase) {
            (State::Ready | State::Failed, _) => Event::Begin,
            (_, Phase::Undoing) => Event::Undone(Undo::Done),
            (State::Started, _) if !place.recovered => Event::Acted(Action::Done(Value::Null)),
            _ => Event::Resolved(Resolution::Done(Value::Null)),
        };
        place = place.after(metas, &event, false).0;
    }
    false
}

fn explore(exhausted: Exhausted) -> usize {
    let metas = metas(exhausted);
    let mut seen = HashSet::from([Place::start()]);
    let mut queue = VecDeque::from([Place::start()]);
    while let Some(place) = queue.pop_front() {
        let mut next = place.visited();
        if !place.at.status.is_settled() {
            assert!(ends(&metas, place.clone()), "no end from {:?}", place.at);
            for event in place.events() {
                for stopping in [false, true] {
                    let (to, decided) = place.after(&metas, &event, stopping);
                    check(&place, &event, stopping, &to, &decided);
                    next.push(to);
                }
            }
        }
        for place in next {
            if place.is_near() && seen.insert(place.clone()) {
                queue.push_back(place);
            }
        }
    }
    seen.len()
}

#[test]
fn the_promises_hold_wherever_a_saga_that_gives_up_can_come() {
    let places = explore(Exhausted::Compensate);
    assert!(places > 1_000, "{places}");
}

#[test]
fn the_promises_hold_wherever_a_saga_that_waits_can_come() {
    let places = explore(Exhausted::Wait);
    assert!(places > 1_000, "{places}");
}
