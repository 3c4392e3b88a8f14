//! Suite: resilience. Guards under real concurrency, and their settings as a
//! person writes them; the rules themselves are tested beside the code.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cleave_resilience::{BreakerControl, BreakerState, Guard, Idempotence, Policy};
use cleave_vocabulary::{CallContext, Failure, FailureKind, PortError, SequentialIds, SystemClock};
use tokio::task::JoinSet;

fn call() -> CallContext {
    CallContext::root(&SequentialIds::default())
}

fn guard(policy: Policy) -> Guard {
    Guard::new("test.provider", policy, Arc::new(SystemClock))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_calls_are_under_way_than_may_be() {
    let mut policy = Policy::default();
    policy.bulkhead.concurrency = 3;
    policy.bulkhead.queue = 1000;
    let guard = guard(policy);
    let under_way = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..200 {
        let (guard, under_way, most) = (guard.clone(), under_way.clone(), most.clone());
        callers.spawn(async move {
            let attempt = |_| async {
                let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                tokio::task::yield_now().await;
                under_way.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, PortError>(())
            };
            guard
                .call("touch", Idempotence::Safe, &call(), attempt)
                .await
        });
    }
    for outcome in callers.join_all().await {
        outcome.expect("let through");
    }
    let report = guard.report();
    assert!(most.load(Ordering::SeqCst) <= 3);
    assert_eq!((report.calls, report.in_flight), (200, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_go_away_leave_nothing_behind() {
    let mut policy = Policy::default();
    policy.bulkhead.concurrency = 8;
    let guard = guard(policy);
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let guard = guard.clone();
        callers.spawn(async move {
            let attempt = |_| std::future::pending::<Result<(), PortError>>();
            guard
                .call("hang", Idempotence::Safe, &call(), attempt)
                .await
        });
    }
    while guard.report().in_flight < 8 {
        tokio::task::yield_now().await;
    }
    callers.shutdown().await;
    assert_eq!(guard.report().in_flight, 0);
    let attempt = |_| std::future::ready(Ok::<_, PortError>(1));
    let call = call();
    let answer = guard.call("touch", Idempotence::Safe, &call, attempt);
    assert_eq!(answer.await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_can_stop_all_calls_and_let_them_flow_again() {
    let guard = guard(Policy::default());
    let attempt = |_| std::future::ready(Ok::<_, PortError>(1));
    guard.control(BreakerControl::ForcedOpen);
    let stopped = guard
        .call("touch", Idempotence::Safe, &call(), attempt)
        .await;
    assert!(matches!(
        stopped,
        Err(PortError::Failed(Failure {
            kind: FailureKind::BreakerOpen,
            ..
        }))
    ));
    assert_eq!(guard.report().state, BreakerState::ForcedOpen);
    guard.control(BreakerControl::Auto);
    let flowing = guard
        .call("touch", Idempotence::Safe, &call(), attempt)
        .await;
    assert_eq!(flowing, Ok(1));
}

#[test]
fn a_policy_is_read_as_it_is_written() {
    let policy: Policy = serde_json::from_value(serde_json::json!({
        "time_limit": "750ms",
        "retry": {"attempts": 3, "backoff": "20ms"},
        "breaker": {"window": 10, "open_for": "1m"},
    }))
    .expect("a policy");
    assert_eq!(policy.time_limit.as_millis(), 750);
    assert_eq!(policy.retry.attempts, 3);
    assert_eq!(policy.breaker.open_for.as_secs(), 60);
    assert_eq!(
        policy.bulkhead.concurrency,
        Policy::default().bulkhead.concurrency
    );

    let wrong = serde_json::from_value::<Policy>(serde_json::json!({"retry": {"times": 3}}));
    assert!(wrong.expect_err("unknown").to_string().contains("times"));
}

#[test]
fn a_report_is_json_as_operators_see_it() {
    let report = serde_json::to_value(guard(Policy::default()).report()).expect("json");
    insta::assert_json_snapshot!(report);
}
