//! Contexts in several processes, and everything that can die between and below them.

use cleave::topology::CONTEXTS;
use cleave_tests::deployment::Deployment;
use cleave_tests::postgres::Server;

use super::load::{LIMITS, Load};

pub(super) const PARTS: [&str; 4] = [
    "order",
    "payment",
    "user,inventory",
    "shipping,notification",
];
pub(super) const QUICK: [(&str, &str); 2] = [
    ("SHIPPING__SIMULATED__PICKUP_AFTER", "100ms"),
    ("SHIPPING__SIMULATED__DELIVER_AFTER", "200ms"),
];

/// Orders that must be answered before the next thing dies.
pub(super) const BETWEEN: u64 = 10;

fn settings() -> Vec<(&'static str, &'static str)> {
    [QUICK, LIMITS].concat()
}

pub(super) async fn end(deployment: Deployment, load: Load) {
    load.goes_on(BETWEEN).await;
    let admin = deployment.admin().await;
    load.end(&deployment.front(), &admin).await;
    deployment.stop_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_is_killed_in_turn_and_the_broker_with_them() {
    let mut deployment = Deployment::start(&PARTS, &settings()).await;
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

/// Every context by itself, and a gateway before them.
const EACH: [&str; 7] = [
    "gateway",
    "order",
    "payment",
    "inventory",
    "user",
    "notification",
    "shipping",
];

#[tokio::test(flavor = "multi_thread")]
async fn with_every_context_apart_each_process_is_killed_and_the_broker_and_postgres() {
    let server = Server::start("");
    let mut deployment = Deployment::start_on(&server, &EACH, &settings()).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    for part in 0..EACH.len() {
        load.goes_on(BETWEEN).await;
        deployment.kill(part);
        deployment.restart(part).await;
        load.moved([deployment.program(0).url()]);
    }
    load.goes_on(BETWEEN).await;
    deployment.broker().start_again().await;
    load.goes_on(BETWEEN).await;
    server.crash();
    let _server = server.restart(async || ()).await;
    end(deployment, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_killed_below_contexts_of_several_processes() {
    let mut server = Server::start("");
    let (order, payment) = (server.schema().await, server.schema().await);
    let mut settings = settings();
    settings.push(("DATABASE__ORDER__URL", &order));
    settings.push(("DATABASE__PAYMENT__URL", &payment));
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
    let mut deployment = Deployment::start_on_postgres(&[&all, &all], &settings()).await;
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
    let mut deployment = Deployment::start_on_postgres(&["gateway", &all, &all], &settings()).await;
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
