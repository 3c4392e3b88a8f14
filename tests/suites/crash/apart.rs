//! Contexts in four processes, and everything that can die between and below them.

use std::time::Duration;

use cleave::topology::CONTEXTS;
use cleave_tests::deployment::Deployment;
use cleave_tests::link::State;
use cleave_tests::postgres::Server;

use super::load::Load;

const PARTS: [&str; 4] = [
    "order",
    "payment",
    "user,inventory",
    "shipping,notification",
];
const QUICK: [(&str, &str); 2] = [
    ("SHIPPING__SIMULATED__PICKUP_AFTER", "100ms"),
    ("SHIPPING__SIMULATED__DELIVER_AFTER", "200ms"),
];

/// Orders that must be answered before the next thing dies.
const BETWEEN: u64 = 10;

async fn end(deployment: Deployment, load: Load) {
    load.goes_on(BETWEEN).await;
    let admin = deployment.admin().await;
    load.end(&deployment.front(), &admin).await;
    deployment.stop_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_is_killed_in_turn_and_the_broker_with_them() {
    let mut deployment = Deployment::start(&PARTS, &QUICK).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    for _ in 0..2 {
        for part in 0..PARTS.len() {
            load.goes_on(BETWEEN).await;
            deployment.kill(part);
            deployment.restart(part).await;
            load.moved([deployment.program(0).url()]);
        }
        load.goes_on(BETWEEN).await;
        deployment.broker().start_again().await;
    }
    end(deployment, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_killed_below_contexts_of_several_processes() {
    let mut server = Server::start("");
    let (order, payment) = (server.schema().await, server.schema().await);
    let settings = [
        QUICK[0],
        QUICK[1],
        ("DATABASE__ORDER__URL", order.as_str()),
        ("DATABASE__PAYMENT__URL", payment.as_str()),
    ];
    let deployment = Deployment::start(&PARTS, &settings).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    for _ in 0..2 {
        load.goes_on(BETWEEN).await;
        server.crash();
        server = server.restart(async || ()).await;
    }
    end(deployment, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_replicas_is_killed_and_clients_ask_the_other() {
    let all = CONTEXTS.join(",");
    let mut deployment = Deployment::start_on_postgres(&[&all, &all], &QUICK).await;
    let urls = |deployment: &Deployment| [0, 1].map(|part| deployment.program(part).url());
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    load.moved(urls(&deployment));
    // The first holds every lease, and dies; then the one that took them over stops.
    for (part, killed) in [(0, true), (1, true), (0, false)] {
        load.goes_on(3 * BETWEEN).await;
        if killed {
            deployment.kill(part);
        } else {
            deployment.stop(part);
        }
        load.goes_on(3 * BETWEEN).await;
        deployment.restart(part).await;
        load.moved(urls(&deployment));
    }
    end(deployment, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_goes_to_the_replica_that_is_left() {
    let all = CONTEXTS.join(",");
    let mut deployment = Deployment::start_on_postgres(&["gateway", &all, &all], &QUICK).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    for replica in [1, 2] {
        load.goes_on(BETWEEN).await;
        deployment.kill(replica);
        for look in ["orders", "payments", "shipments", "notifications"].repeat(5) {
            let look = format!("/api/v1/{look}?limit=1");
            let shown = deployment.front().get(&look, &admin).await;
            assert_eq!(shown.status, 200, "{look}");
        }
        load.goes_on(BETWEEN).await;
        deployment.restart(replica).await;
    }
    end(deployment, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_between_processes_are_slow_silent_and_cut() {
    let deployment = Deployment::start_over_links(&PARTS, &QUICK).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    for part in 1..PARTS.len() {
        for state in [
            State::Slow(Duration::from_millis(200)),
            State::Cut,
            State::Silent,
        ] {
            load.goes_on(BETWEEN).await;
            deployment.link(part).set(state);
            // Long enough for calls to run into their limits.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            deployment.link(part).set(State::Open);
        }
    }
    end(deployment, load).await;
}
