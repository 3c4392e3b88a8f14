//! Suite: seam. What a port promises holds in memory, through the codec, and
//! over a real connection; and what goes wrong on the wire is told apart.

#![expect(
    clippy::disallowed_methods,
    reason = "the other side of a connection ends with the test's runtime"
)]

mod contracts;
mod desk;
mod gone;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use cleave_resilience::{Guard, Policy};
use cleave_seam::{Credentials, Endpoint, http_client};
use cleave_vocabulary::{Clock, Failure, FailureKind, ManualClock, PortError, Refusal};
use tokio::net::TcpListener;

use desk::{Client, Desk, DeskPort, Guarded, Turn, Wired, call, older, paper, routes};

/// A provider, and its port as a consumer sees it.
struct Seam {
    clock: Arc<dyn Clock>,
    desk: Arc<Desk>,
    port: Arc<dyn DeskPort>,
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::default())
}

fn endpoint(base_url: &str, clock: &Arc<dyn Clock>) -> Endpoint {
    let http = http_client().expect("a client");
    Endpoint::new(http, "desk", base_url, clock.clone())
}

/// Serves `router` for as long as the test runs.
async fn serve(router: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn local() -> Seam {
    let desk = Arc::new(Desk::default());
    Seam {
        clock: clock(),
        port: desk.clone(),
        desk,
    }
}

fn wired() -> Seam {
    let seam = local();
    let port = Arc::new(Wired::new(seam.port, seam.clock.clone()));
    Seam { port, ..seam }
}

async fn remote() -> Seam {
    let seam = local();
    let url = serve(routes(seam.port, seam.clock.clone())).await;
    let port = Arc::new(Client::new(endpoint(&url, &seam.clock)));
    Seam { port, ..seam }
}

async fn every_way() -> [Seam; 3] {
    [local(), wired(), remote().await]
}

fn failure<T: std::fmt::Debug>(result: Result<T, PortError>) -> Failure {
    match result {
        Err(PortError::Failed(failure)) => failure,
        other => panic!("expected a failure, not {other:?}"),
    }
}

#[tokio::test]
async fn answers_come_back_as_they_were_given() {
    for seam in every_way().await {
        let mut input = paper(Turn::Answer);
        input.colour = Some("red".into());
        let answer = seam.port.stamp(&call(&seam.clock, 9), input).await;
        let answer = answer.expect("stamped");
        assert_eq!((answer.number, answer.colour.as_deref()), (1, Some("red")));
    }
}

#[tokio::test]
async fn replicas_are_called_in_turn_and_one_that_is_away_is_passed() {
    let clock = clock();
    let desks = [Arc::new(Desk::default()), Arc::new(Desk::default())];
    let mut bases = vec!["http://127.0.0.1:1".to_owned()];
    for desk in &desks {
        bases.push(serve(routes(desk.clone(), clock.clone())).await);
    }
    let port = Client::new(endpoint(&bases.join(","), &clock));
    let mut numbers = Vec::new();
    for _ in 0..6 {
        let answer = port.stamp(&call(&clock, 9), paper(Turn::Answer)).await;
        numbers.push(answer.expect("one of them answers").number);
    }
    // Each desk counts for itself; the first of them answers for whom is away, too.
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 1, 2, 2, 3, 4]);
    let nobody = endpoint("http://127.0.0.1:1,http://127.0.0.1:1", &clock);
    let port = Client::new(nobody);
    let unheard = port.stamp(&call(&clock, 9), paper(Turn::Answer)).await;
    assert!(!failure(unheard).outcome_unknown);
}

#[tokio::test]
async fn refusals_are_told_from_failures() {
    let refusal = Refusal::new("no_ink", "No ink.").with_details(["blue", "red"]);
    let failures = [
        Failure::clean(FailureKind::Unavailable, "closed"),
        Failure::clean(FailureKind::Overloaded, "busy"),
        Failure::clean(FailureKind::BreakerOpen, "resting"),
        Failure::unknown(FailureKind::Timeout, "slow"),
        Failure::unknown(FailureKind::Broken, "torn"),
    ];
    for seam in every_way().await {
        let call = call(&seam.clock, 9);
        let refused = paper(Turn::Refuse(refusal.clone()));
        let answer = seam.port.stamp(&call, refused).await;
        assert_eq!(answer, Err(PortError::Refused(refusal.clone())));
        for failure in &failures {
            let answer = seam.port.stamp(&call, paper(Turn::Fail(failure.clone())));
            assert_eq!(answer.await, Err(PortError::Failed(failure.clone())));
        }
    }
}

#[tokio::test]
async fn the_context_of_the_call_crosses_whole() {
    for seam in every_way().await {
        let call = call(&seam.clock, 9);
        let answer = seam.port.stamp(&call, paper(Turn::Answer)).await;
        answer.expect("stamped");
        assert_eq!(*seam.desk.calls.lock(), [call]);
    }
}

#[tokio::test]
async fn a_guarded_call_tells_the_other_side_how_long_it_will_wait() {
    for seam in every_way().await {
        let policy = Policy {
            time_limit: Duration::from_secs(2),
            ..Policy::default()
        };
        let guard = Guard::new("test.desk", policy, seam.clock.clone());
        let port = Guarded::new(seam.port, guard);
        let call = call(&seam.clock, 9);
        port.stamp(&call, paper(Turn::Answer))
            .await
            .expect("stamped");
        let limit = seam.clock.now().plus(Duration::from_secs(2));
        assert_eq!(seam.desk.calls.lock()[0].deadline, Some(limit));
    }
}

#[tokio::test]
async fn a_guarded_port_repeats_what_failed_with_the_same_input() {
    let seam = local();
    let mut policy = Policy::default();
    policy.retry.attempts = 3;
    policy.retry.backoff = Duration::ZERO;
    let guard = Guard::new("test.desk", policy, seam.clock.clone());
    let port = Guarded::new(seam.port, guard.clone());
    let fails = paper(Turn::Fail(Failure::unknown(FailureKind::Broken, "torn")));
    let failure = failure(port.stamp(&call(&seam.clock, 9), fails).await);
    assert!(failure.outcome_unknown);
    assert_eq!(seam.desk.calls.lock().len(), 3);
    assert_eq!(guard.report().retries, 2);
}

#[tokio::test]
async fn a_query_leaves_nothing_in_doubt() {
    let seam = remote().await;
    let guard = Guard::new("test.desk", Policy::default(), seam.clock.clone());
    let ports: [Arc<dyn DeskPort>; 2] = [
        Arc::new(Guarded::new(seam.desk.clone(), guard)),
        seam.port.clone(),
    ];
    for port in ports {
        let torn = paper(Turn::Fail(Failure::unknown(FailureKind::Broken, "torn")));
        let failure = failure(port.show(&call(&seam.clock, 9), torn).await);
        assert_eq!(failure, Failure::clean(FailureKind::Broken, "torn"));
    }
}

#[tokio::test]
async fn a_call_whose_deadline_has_passed_is_not_sent() {
    for seam in [wired(), remote().await] {
        let call = call(&seam.clock, 0);
        let failure = failure(seam.port.stamp(&call, paper(Turn::Answer)).await);
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert!(!failure.outcome_unknown);
        assert!(seam.desk.calls.lock().is_empty());
    }
}

#[tokio::test]
async fn an_older_consumer_understands_a_newer_provider() {
    let seam = local();
    let url = serve(routes(seam.port, seam.clock.clone())).await;
    let port = older::Client::new(endpoint(&url, &seam.clock));
    let input = older::Stamp {
        key: "k-1".into(),
        turn: Turn::Answer,
    };
    let answer = older::DeskPort::stamp(&port, &call(&seam.clock, 9), input).await;
    assert_eq!(answer, Ok(older::Stamped { number: 1 }));
}

#[tokio::test]
async fn an_older_provider_serves_what_it_knows_and_says_what_it_does_not() {
    let seam = local();
    let url = serve(older::routes(seam.desk.clone(), seam.clock.clone())).await;
    let port = Client::new(endpoint(&url, &seam.clock));
    let call = call(&seam.clock, 9);
    let mut input = paper(Turn::Answer);
    input.colour = Some("red".into());
    let answer = port.stamp(&call, input.clone()).await.expect("stamped");
    assert_eq!((answer.number, answer.colour), (1, None));

    let failure = failure(port.shred(&call, input).await);
    assert_eq!(failure.kind, FailureKind::Unsupported);
    assert!(!failure.outcome_unknown);
}
