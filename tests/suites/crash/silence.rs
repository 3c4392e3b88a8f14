//! What neither answers nor breaks off: a link on which nothing is heard, and a process
//! without a processor. Each lasts longer than any request may, and nobody hangs.

use std::time::Duration;

use cleave::topology::CONTEXTS;
use cleave_tests::deployment::Deployment;
use cleave_tests::link::State;

use super::apart::{BETWEEN, QUICK, end};
use super::load::{HUNG, LIMITS, Load};

/// The front has no context, and every other process is behind a link.
const PARTS: [&str; 5] = [
    "gateway",
    "order",
    "payment",
    "user,inventory",
    "shipping,notification",
];

/// How long it lasts.
const SILENCE: Duration = Duration::from_secs(HUNG.as_secs() + 1);

/// How long one context waits for another.
const PORT_LIMIT: Duration = Duration::from_secs(1);

/// Limits of calls within that of the request, and what comes back soon after.
const PORTS: [(&str, &str); 8] = [
    ("ORDER__INVENTORY__TIME_LIMIT", "1s"),
    ("ORDER__PAYMENT__TIME_LIMIT", "1s"),
    ("ORDER__SHIPPING__TIME_LIMIT", "1s"),
    ("ORDER__INVENTORY__BREAKER__OPEN_FOR", "500ms"),
    ("ORDER__PAYMENT__BREAKER__OPEN_FOR", "500ms"),
    ("ORDER__SHIPPING__BREAKER__OPEN_FOR", "500ms"),
    ("ORDER__STEPS__BACKOFF_LIMIT", "1s"),
    ("PAYMENT__GATEWAY__TIME_LIMIT", "500ms"),
];

fn settings() -> Vec<(&'static str, &'static str)> {
    [&QUICK[..], &LIMITS, &PORTS].concat()
}

/// Waits until limits have been reached, and everything goes on again.
async fn over(load: &Load) {
    load.goes_on(BETWEEN).await;
    let longest = load.longest();
    assert!(longest >= PORT_LIMIT, "no limit was reached: {longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_between_processes_are_slow_cut_and_silent_for_longer_than_any_limit() {
    let deployment = Deployment::start_over_links(&PARTS, &settings()).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    for part in 1..PARTS.len() {
        for (state, lasts) in [
            (State::Slow(Duration::from_millis(200)), PORT_LIMIT),
            (State::Cut, PORT_LIMIT),
            (State::Silent, SILENCE),
        ] {
            load.goes_on(BETWEEN).await;
            deployment.link(part).set(state);
            tokio::time::sleep(lasts).await;
            deployment.link(part).set(State::Open);
        }
        over(&load).await;
    }
    end(deployment, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_stands_still_for_longer_than_any_limit_and_goes_on() {
    let deployment = Deployment::start(&PARTS, &settings()).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    for part in 1..PARTS.len() {
        load.goes_on(BETWEEN).await;
        deployment.program(part).freeze();
        tokio::time::sleep(SILENCE).await;
        deployment.program(part).thaw();
        over(&load).await;
    }
    end(deployment, load).await;
}

/// Its leases go to the other meanwhile; when it goes on, it knows of nothing.
#[tokio::test(flavor = "multi_thread")]
async fn each_of_two_replicas_stands_still_until_its_leases_are_gone() {
    let all = CONTEXTS.join(",");
    let parts = ["gateway", &all, &all];
    let deployment = Deployment::start_on_postgres(&parts, &settings()).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    for replica in [1, 2] {
        load.goes_on(BETWEEN).await;
        deployment.program(replica).freeze();
        tokio::time::sleep(SILENCE).await;
        // What is asked of the other is answered, and the broker's leases are its own.
        load.goes_on(1).await;
        deployment.program(replica).thaw();
        load.goes_on(BETWEEN).await;
    }
    end(deployment, load).await;
}
