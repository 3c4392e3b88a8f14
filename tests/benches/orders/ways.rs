//! The same orders through other ways to run the contexts, one after the other in
//! one run: what another database, another bus and other processes cost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cleave::topology::CONTEXTS;
use cleave_messaging::conformance::Sample;
use cleave_messaging::{EventBus, Subscription};
use cleave_nats::{NatsBus, NatsOptions};
use cleave_tests::broker::Broker;
use cleave_tests::deployment::Deployment;
use cleave_tests::postgres;
use cleave_vocabulary::SystemClock;

use crate::load::{Load, Pass};
use crate::pgbench;
use crate::server::Server;

/// As it is by default, with each write on the disk.
const DURABLE: &str = "-c fsync=on -c autovacuum=on";
const CONNECTIONS: u64 = 64;

pub(crate) async fn side_by_side(pass: Duration) {
    println!("\nway                                      orders/s  POST p50  paid p50   paid p99");
    let server = Server::start();
    let base = server.url("");
    measure("SQLite, one process", &[base], pass).await;
    drop(server);

    let postgres = postgres::Server::start(DURABLE);
    let tcp = |url: &str| url.to_owned();
    let socket = |url: &str| postgres.by_socket(url);
    let whole = one_process("Postgres, one process", &postgres, tcp, pass).await;
    let beside = one_process(
        "Postgres by its socket, one process",
        &postgres,
        socket,
        pass,
    )
    .await;

    let all = CONTEXTS.join(",");
    for (name, parts) in [
        (
            "Postgres, NATS, payment apart",
            &["order,inventory,user,notification,shipping", "payment"][..],
        ),
        ("Postgres, NATS, two replicas", &[&all, &all]),
        ("Postgres, NATS, each context apart", &CONTEXTS),
    ] {
        let settings = schemas(&postgres, tcp).await;
        let settings: Vec<(&str, &str)> = settings
            .iter()
            .map(|(name, url)| (name.as_str(), url.as_str()))
            .collect();
        let deployment = Deployment::start_demo(parts, &settings).await;
        let fronts: Vec<_> = (0..parts.len())
            .filter(|part| parts[*part].contains("order"))
            .map(|part| deployment.program(part).url())
            .collect();
        let rate = measure(name, &fronts, pass).await;
        println!(
            "{:>48.0} % of Postgres in one process",
            rate * 100.0 / whole
        );
        deployment.stop_all();
    }
    println!("\nby hand, pgbench, the same five transactions an order:");
    let limit = pgbench::orders_per_second(&postgres, tcp, pass, CONNECTIONS).await;
    of_the_limit("Postgres", whole, limit);
    let limit = pgbench::orders_per_second(&postgres, socket, pass, CONNECTIONS).await;
    of_the_limit("Postgres by its socket", beside, limit);
    publishing().await;
}

/// Every context in one process on Postgres, which `way` leads to.
async fn one_process(
    name: &str,
    postgres: &postgres::Server,
    way: impl Fn(&str) -> String,
    pass: Duration,
) -> f64 {
    let server = Server::start_with(&schemas(postgres, way).await);
    let base = server.url("");
    measure(name, &[base], pass).await
}

fn of_the_limit(name: &str, rate: f64, limit: f64) {
    let share = rate * 100.0 / limit;
    println!("{name}: {limit:.0} orders/s, of which one process does {share:.0} %");
}

/// Events that the broker has stored, a second: one after the other, and with so
/// many under way as the relays have.
async fn publishing() {
    let broker = Broker::start().await;
    let options = NatsOptions {
        url: Some(broker.url()),
        ..NatsOptions::default()
    };
    let in_flight = options.publish_in_flight;
    let bus = NatsBus::open(options, "benchmark".to_owned(), Arc::new(SystemClock)).await;
    let bus = bus.expect("opens");
    let sample = Sample::default();
    let kind = sample.name("thing");
    let wanted = Subscription {
        consumer: sample.name("reader"),
        types: vec![kind.clone()],
    };
    bus.announce(&wanted).await.expect("announced");
    for (events, in_flight) in [(1_000, 1), (20_000, in_flight)] {
        let begun = Instant::now();
        let mut receipts = VecDeque::new();
        for number in 0..events {
            let event = sample.event(&kind, &format!("subject-{}", number % 100));
            receipts.push_back(bus.publish(event).await.expect("published"));
            if receipts.len() >= in_flight
                && let Some(oldest) = receipts.pop_front()
            {
                oldest.await.expect("stored");
            }
        }
        for receipt in receipts {
            receipt.await.expect("stored");
        }
        let rate = f64::from(events) / begun.elapsed().as_secs_f64();
        println!("published to NATS, {in_flight:>4} under way: {rate:.0} events/s");
    }
    bus.close().await;
}

/// A fresh schema for each context.
async fn schemas(server: &postgres::Server, way: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    for context in CONTEXTS {
        let name = format!("DATABASE__{}__URL", context.to_uppercase());
        settings.push((name, way(&server.schema().await)));
    }
    settings
}

/// Orders a second, all told, and how soon one is paid.
async fn measure(name: &str, fronts: &[String], pass: Duration) -> f64 {
    let load = Load::new(fronts).await;
    load.run(4, Duration::from_secs(2), Pass::Plain).await;
    let plain = load.run(CONNECTIONS, pass, Pass::Plain).await;
    let paid = load.run(CONNECTIONS, pass / 2, Pass::UntilPaid).await;
    let rate = plain.fulfilled_per_second();
    println!(
        "{name:<40} {rate:>8.0}  {:>5.1} ms  {:>5.1} ms  {:>6.1} ms",
        plain.percentile(50),
        paid.paid(50),
        paid.paid(99),
    );
    rate
}
