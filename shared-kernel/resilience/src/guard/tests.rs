//! The guard under a clock that moves by hand.

use std::cell::Cell;
use std::future::pending;
use std::time::Duration;

use cleave_vocabulary::{
    CallContext, Clock, Failure, FailureKind, ManualClock, PortError, Refusal, SequentialIds,
};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;
use crate::{BreakerPolicy, BulkheadPolicy, RetryPolicy};

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> Policy {
    Policy {
        time_limit: SECOND,
        bulkhead: BulkheadPolicy {
            concurrency: 2,
            queue: 1,
        },
        retry: RetryPolicy {
            attempts: 3,
            backoff: Duration::from_millis(100),
            ..RetryPolicy::default()
        },
        breaker: BreakerPolicy {
            window: 4,
            minimum_calls: 4,
            half_open_calls: 1,
            ..BreakerPolicy::default()
        },
    }
}

fn without_retry() -> Policy {
    let retry = RetryPolicy::default();
    Policy { retry, ..policy() }
}

struct Fixture {
    clock: ManualClock,
    guard: Guard,
    call: CallContext,
}

fn fixture(policy: Policy) -> Fixture {
    let clock = ManualClock::default();
    Fixture {
        guard: Guard::new("order.payment", policy, Arc::new(clock.clone())),
        call: CallContext::root(&SequentialIds::default()),
        clock,
    }
}

type Answer = Result<u8, PortError>;

fn away() -> Answer {
    Err(Failure::clean(FailureKind::Unavailable, "away").into())
}

fn lost() -> Answer {
    Err(Failure::unknown(FailureKind::Unavailable, "lost").into())
}

fn refused() -> Answer {
    Err(Refusal::new("no", "No.").into())
}

fn failure(answer: Answer) -> Failure {
    match answer {
        Err(PortError::Failed(failure)) => failure,
        other => panic!("expected a failure, not {other:?}"),
    }
}

impl Fixture {
    /// One call whose attempts end at once, the nth as `answers` says.
    async fn call(&self, answers: impl Fn(u32) -> Answer) -> Answer {
        let made = Cell::new(0);
        let call = self
            .guard
            .call("charge", Idempotence::Safe, &self.call, |_| {
                made.set(made.get() + 1);
                std::future::ready(answers(made.get()))
            });
        self.run(call).await
    }

    /// Moves the clock on until the call has ended.
    async fn run<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = Box::pin(call);
        loop {
            if let Some(result) = call.as_mut().now_or_never() {
                return result;
            }
            self.clock.advance(Duration::from_millis(10));
            // The runtime's budget for one turn would end before the clock's wait does.
            tokio::task::yield_now().await;
        }
    }

    fn hanging(&self) -> BoxFuture<'_, Answer> {
        let attempt = |_| pending();
        self.guard
            .call("charge", Idempotence::Safe, &self.call, attempt)
            .boxed()
    }
}

#[tokio::test]
async fn an_answer_passes_as_it_is() {
    let fixture = fixture(policy());
    assert_eq!(fixture.call(|_| Ok(7)).await, Ok(7));
    assert_eq!(fixture.call(|_| refused()).await, refused());
    let report = fixture.guard.report();
    assert_eq!((report.calls, report.refusals, report.failures), (2, 1, 0));
    assert_eq!((report.retries, report.in_flight), (0, 0));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_of_unknown_outcome() {
    let fixture = fixture(without_retry());
    let began = fixture.clock.now();
    let failure = failure(fixture.run(fixture.hanging()).await);
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(failure.outcome_unknown);
    assert_eq!(fixture.clock.now().since(began), SECOND);
}

#[tokio::test]
async fn the_deadline_is_nearer_than_the_limit_and_travels_with_the_call() {
    let mut fixture = fixture(without_retry());
    let limit = fixture.clock.now().plus(SECOND);
    let seen = |call: CallContext| std::future::ready(Ok(call.deadline));
    let guard = fixture.guard.clone();
    let call = guard.call("quote", Idempotence::Safe, &fixture.call, seen);
    assert_eq!(call.await, Ok(Some(limit)));

    let deadline = fixture.clock.now().plus(SECOND / 4);
    fixture.call = fixture.call.clone().until(deadline);
    let call = guard.call("quote", Idempotence::Safe, &fixture.call, seen);
    assert_eq!(call.await, Ok(Some(deadline)));
    let failure = failure(fixture.run(fixture.hanging()).await);
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(fixture.clock.now(), deadline);
}

#[tokio::test]
async fn nothing_is_sent_once_the_deadline_has_passed() {
    let mut fixture = fixture(policy());
    fixture.call = fixture.call.clone().until(fixture.clock.now());
    let failure = failure(fixture.call(|_| panic!("sent")).await);
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(!failure.outcome_unknown);
    assert_eq!(fixture.guard.report().calls, 0);
}

#[tokio::test]
async fn a_failure_is_tried_again_and_a_refusal_is_not() {
    let fixture = fixture(policy());
    let answer = fixture.call(|made| if made < 3 { away() } else { Ok(3) });
    assert_eq!(answer.await, Ok(3));
    assert_eq!(fixture.call(|_| refused()).await, refused());
    let report = fixture.guard.report();
    assert_eq!((report.calls, report.failures, report.retries), (4, 2, 2));
}

#[tokio::test]
async fn doubt_outlives_the_attempt_that_raised_it() {
    let fixture = fixture(policy());
    let answer = fixture.call(|made| if made == 1 { lost() } else { away() });
    assert!(failure(answer.await).outcome_unknown);
    let answer = fixture.call(|_| away());
    assert!(!failure(answer.await).outcome_unknown);
}

#[tokio::test]
async fn what_is_not_safe_to_repeat_is_repeated_only_if_it_did_nothing() {
    let fixture = fixture(policy());
    for (answer, attempts) in [(lost(), 1), (away(), 3)] {
        let made = Cell::new(0);
        let call = fixture
            .guard
            .call("send", Idempotence::Once, &fixture.call, |_| {
                made.set(made.get() + 1);
                std::future::ready(answer.clone())
            });
        failure(fixture.run(call).await);
        assert_eq!(made.get(), attempts);
    }
}

#[tokio::test]
async fn no_wait_is_begun_that_would_outlast_the_deadline() {
    let mut policy = policy();
    policy.retry.backoff = Duration::from_hours(1);
    policy.retry.backoff_limit = Duration::from_hours(1);
    let mut fixture = fixture(policy);
    // Full jitter may choose a wait as short as none; ten milliseconds of an hour are safe.
    fixture.call = fixture
        .call
        .clone()
        .until(fixture.clock.now().plus(SECOND / 100));
    let began = fixture.clock.now();
    let failure = failure(fixture.call(|_| away()).await);
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert_eq!(fixture.clock.now(), began);
}

#[tokio::test]
async fn retries_stop_when_their_budget_is_spent() {
    let mut policy = policy();
    policy.breaker.failure_percent = 101;
    policy.retry.budget_percent = 10;
    let fixture = fixture(policy);
    for _ in 0..1000 {
        failure(fixture.call(|_| away()).await);
    }
    let retries = fixture.guard.report().retries;
    assert!((100..=200).contains(&retries), "{retries}");
}

#[tokio::test]
async fn an_open_breaker_answers_at_once_and_cleanly() {
    let fixture = fixture(without_retry());
    for _ in 0..4 {
        failure(fixture.call(|_| lost()).await);
    }
    let rejection = failure(fixture.call(|_| panic!("sent")).await);
    assert_eq!(rejection.kind, FailureKind::BreakerOpen);
    assert!(!rejection.outcome_unknown);
    let report = fixture.guard.report();
    assert_eq!(report.state, BreakerState::Open);
    assert_eq!((report.calls, report.rejected), (4, 1));
}

#[tokio::test]
async fn a_breaker_that_opens_between_attempts_leaves_the_failure_before() {
    let fixture = fixture(policy());
    failure(fixture.call(|_| away()).await);
    let failure = failure(fixture.call(|_| lost()).await);
    assert_eq!(fixture.guard.report().calls, 4);
    assert_eq!(failure.message, "lost");
    assert!(failure.outcome_unknown);
}

#[tokio::test]
async fn a_breaker_further_down_does_not_open_this_one() {
    let fixture = fixture(without_retry());
    for _ in 0..10 {
        let open = Failure::clean(FailureKind::BreakerOpen, "the gateway's");
        failure(fixture.call(|_| Err(open.clone().into())).await);
    }
    assert_eq!(fixture.guard.report().state, BreakerState::Closed);
}

#[tokio::test]
async fn a_full_bulkhead_rejects_and_a_dropped_call_makes_room() {
    let fixture = fixture(without_retry());
    let mut calls: Vec<_> = (0..3).map(|_| fixture.hanging()).collect();
    for call in &mut calls {
        assert!(call.as_mut().now_or_never().is_none());
    }
    let rejection = failure(fixture.call(|_| panic!("sent")).await);
    assert_eq!(rejection.kind, FailureKind::Overloaded);
    let report = fixture.guard.report();
    assert_eq!((report.calls, report.rejected, report.in_flight), (2, 1, 2));
    drop(calls);
    assert_eq!(fixture.guard.report().in_flight, 0);
    assert_eq!(fixture.call(|_| Ok(1)).await, Ok(1));
}

#[tokio::test]
async fn a_dropped_call_gives_its_trial_back() {
    let fixture = fixture(without_retry());
    for _ in 0..4 {
        failure(fixture.call(|_| away()).await);
    }
    fixture.clock.advance(BreakerPolicy::default().open_for);
    let mut trial = fixture.hanging();
    assert!(trial.as_mut().now_or_never().is_none());
    let second = failure(fixture.call(|_| Ok(1)).await);
    assert_eq!(second.kind, FailureKind::BreakerOpen);
    drop(trial);
    assert_eq!(fixture.call(|_| Ok(1)).await, Ok(1));
    assert_eq!(fixture.guard.report().state, BreakerState::Closed);
}
