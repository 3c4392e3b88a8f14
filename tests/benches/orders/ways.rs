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
use crate::processor;
use crate::server::Server;
use crate::statements;

/// As it is by default, with each write on the disk.
const DURABLE: &str = "-c fsync=on -c autovacuum=on";
const CONNECTIONS: u64 = 64;
const SQLITE: &str = "SQLite, one process";
const WHOLE: &str = "Postgres, one process";
const BY_SOCKET: &str = "Postgres by its socket, one process";

/// How each way is measured.
#[derive(Clone, Copy)]
struct Measure {
    /// How long its pass lasts.
    pass: Duration,
    /// Whether its statements are counted too.
    statements: bool,
}

/// Each way whose name has the word, and what it is held against.
pub(crate) async fn side_by_side(pass: Duration, word: &str, statements: bool) {
    let how = Measure { pass, statements };
    let wanted = |name: &str| name.contains(word);
    println!("\nway                                      orders/s  POST p50  paid p50   paid p99");
    println!("    and the processors' time that an order took, in µs");
    if wanted(SQLITE) {
        let server = Server::start();
        let base = server.url("");
        how.measure(SQLITE, &[base], None).await;
    }
    let mut whole = None;
    if wanted(WHOLE) {
        whole = Some(how.one_process(WHOLE, by_port).await);
    }
    let mut beside = None;
    if wanted(BY_SOCKET) {
        beside = Some(
            how.one_process(BY_SOCKET, postgres::Server::by_socket)
                .await,
        );
    }
    let all = CONTEXTS.join(",");
    for (name, parts) in [
        (
            "Postgres, NATS, payment apart",
            &["order,inventory,user,notification,shipping", "payment"][..],
        ),
        ("Postgres, NATS, two replicas", &[&all, &all]),
        ("Postgres, NATS, each context apart", &CONTEXTS),
    ] {
        if wanted(name) {
            let rate = how.several(name, parts).await;
            if let Some(whole) = whole {
                let share = rate * 100.0 / whole;
                println!("{share:>48.0} % of Postgres in one process");
            }
        }
    }
    if let Some(whole) = whole {
        let limit = pgbench::orders_per_second(by_port, pass, CONNECTIONS).await;
        of_the_limit("Postgres", whole, limit);
    }
    if let Some(beside) = beside {
        let limit =
            pgbench::orders_per_second(postgres::Server::by_socket, pass, CONNECTIONS).await;
        of_the_limit("Postgres by its socket", beside, limit);
    }
    if wanted("publishing") {
        publishing().await;
    }
}

impl Measure {
    /// The contexts in several processes, each on Postgres.
    async fn several(self, name: &str, parts: &[&str]) -> f64 {
        let postgres = self.fresh();
        let mut settings = schemas(&postgres, by_port).await;
        // One process has them from the environment, as always.
        settings.extend(tried());
        let settings: Vec<(&str, &str)> = settings
            .iter()
            .map(|(name, url)| (name.as_str(), url.as_str()))
            .collect();
        let deployment = Deployment::start_demo(parts, &settings).await;
        let fronts: Vec<_> = (0..parts.len())
            .filter(|part| parts[*part].contains("order"))
            .map(|part| deployment.program(part).url())
            .collect();
        let rate = self.measure(name, &fronts, Some(&postgres)).await;
        deployment.stop_all();
        rate
    }

    /// Every context in one process on Postgres, which `way` leads to.
    async fn one_process(self, name: &str, way: Way) -> f64 {
        let postgres = self.fresh();
        let server = Server::start_with(&schemas(&postgres, way).await);
        let base = server.url("");
        self.measure(name, &[base], Some(&postgres)).await
    }

    fn fresh(self) -> postgres::Server {
        if self.statements {
            postgres::Server::start(&format!("{DURABLE} {}", statements::COUNTED))
        } else {
            fresh()
        }
    }

    /// Orders a second, all told, and how soon one is paid.
    async fn measure(
        self,
        name: &str,
        fronts: &[String],
        postgres: Option<&postgres::Server>,
    ) -> f64 {
        let load = Load::new(fronts).await;
        load.run(4, Duration::from_secs(2), Pass::Plain).await;
        let counted = postgres.filter(|_| self.statements);
        if let Some(postgres) = counted {
            statements::reset(postgres).await;
        }
        let used = processor::used();
        let plain = load.run(CONNECTIONS, self.pass, Pass::Plain).await;
        let used = processor::since(&used, plain.orders());
        let paid = load.run(CONNECTIONS, self.pass / 2, Pass::UntilPaid).await;
        let rate = plain.fulfilled_per_second();
        println!(
            "{name:<40} {rate:>8.0}  {:>5.1} ms  {:>5.1} ms  {:>6.1} ms",
            plain.percentile(50),
            paid.paid(50),
            paid.paid(99),
        );
        println!("    {used}");
        if let Some(postgres) = counted {
            statements::print(postgres, plain.orders() + paid.orders()).await;
        }
        rate
    }
}

/// How a server is reached: the URL to use, of one that it gave.
pub(crate) type Way = fn(&postgres::Server, &str) -> String;

fn by_port(_: &postgres::Server, url: &str) -> String {
    url.to_owned()
}

/// A server that has nothing to tidy up behind whoever was measured before.
pub(crate) fn fresh() -> postgres::Server {
    postgres::Server::start(DURABLE)
}

fn of_the_limit(name: &str, rate: f64, limit: f64) {
    let share = rate * 100.0 / limit;
    println!(
        "{name}, pgbench, the same five transactions by hand: {limit:.0} orders/s, of which one process does {share:.0} %"
    );
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
    bus.announce(&[wanted]).await.expect("announced");
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

/// Settings to be tried: those of this program's own environment.
fn tried() -> impl Iterator<Item = (String, String)> {
    std::env::vars().filter_map(|(name, value)| {
        let name = name.strip_prefix("CLEAVE__")?.to_owned();
        Some((name, value))
    })
}

/// A fresh schema for each context.
async fn schemas(server: &postgres::Server, way: Way) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    for context in CONTEXTS {
        let name = format!("DATABASE__{}__URL", context.to_uppercase());
        settings.push((name, way(server, &server.schema().await)));
    }
    settings
}
