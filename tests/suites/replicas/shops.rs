//! Two real programs with every context each, over one Postgres and one broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cleave::topology::CONTEXTS;
use cleave_tests::broker::Broker;
use cleave_tests::postgres;
use cleave_tests::program::Program;
use cleave_tests::shop::{ADMIN, Client, order};
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

const CLIENTS: usize = 6;
const METHODS: [&str; 5] = [
    "pm_card_visa",
    "pm_sim_flaky",
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_visa",
];

/// The programs, each with a folder of its own, and what they share.
struct Replicas {
    programs: [Option<Program>; 2],
    environment: Vec<(String, String)>,
    folders: [TempDir; 2],
    _broker: Broker,
}

impl Replicas {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let broker = Broker::start().await;
        let url = broker.url();
        let usual = [
            ("ADMIN__EMAIL", ADMIN.0),
            ("ADMIN__PASSWORD", ADMIN.1),
            ("BUS__KIND", "nats"),
            ("BUS__NATS__URL", &url),
            ("DATABASE__POSTGRES__READERS", "2"),
            ("DATABASE__POSTGRES__WRITERS", "4"),
            ("GATEWAY__RATE_LIMIT__ENABLED", "false"),
            ("INTERNAL__KEY", cleave_tests::deployment::KEY),
            ("USER__HASHING__MEMORY_KIB", "8"),
            ("USER__HASHING__ITERATIONS", "1"),
        ];
        let mut environment: Vec<(String, String)> = usual
            .iter()
            .chain(settings)
            .map(|(name, value)| (format!("CLEAVE__{name}"), (*value).to_owned()))
            .collect();
        for context in CONTEXTS {
            let name = format!("CLEAVE__DATABASE__{}__URL", context.to_uppercase());
            environment.push((name, postgres::shared().schema().await));
        }
        let mut replicas = Self {
            programs: [None, None],
            environment,
            folders: [(); 2].map(|()| tempfile::tempdir().expect("a folder")),
            _broker: broker,
        };
        replicas.restart(0).await;
        replicas.restart(1).await;
        replicas
    }

    async fn restart(&mut self, index: usize) {
        let (data, environment) = (
            self.folders[index].path().to_owned(),
            self.environment.clone(),
        );
        let started = tokio::task::spawn_blocking(move || {
            let environment = environment.iter();
            let environment: Vec<(&str, &str)> = environment
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            Program::serve(&data, &[], &environment)
        });
        self.programs[index] = Some(started.await.expect("it starts"));
    }

    fn kill(&mut self, index: usize) {
        self.programs[index].take().expect("it runs").kill();
    }

    async fn stop(&mut self, index: usize) {
        let program = self.programs[index].take().expect("it runs");
        let stopped = tokio::task::spawn_blocking(move || program.stop());
        let (status, log) = stopped.await.expect("it stops");
        assert!(status.success(), "{log}");
    }

    fn url(&self, index: usize) -> String {
        self.programs[index].as_ref().expect("it runs").url()
    }

    fn client(&self, index: usize) -> Client {
        Client::new(self.url(index))
    }
}

struct Load {
    bases: Mutex<[String; 2]>,
    stop: AtomicBool,
    answered: AtomicU64,
    /// Which order each key became, as every answer for it said.
    orders: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

/// Places one order after the other, at both in turn.
async fn buy(load: Arc<Load>, client: usize, token: String, product: String) {
    let mut n = 0;
    while !load.stop.load(Ordering::Relaxed) {
        let key = format!("client-{client}-{n}");
        let body = order(&[(&product, 1)], METHODS[(client + n) % METHODS.len()]);
        n += 1;
        // Every fifth is sent again, to the other one.
        for time in 0..if n % 5 == 0 { 2 } else { 1 } {
            let id = place(&load, client + n + time, &token, &key, &body).await;
            let mut orders = load.orders.lock();
            orders.entry(key.clone()).or_default().insert(id);
        }
        load.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asks one and the other until there is an answer that counts.
async fn place(load: &Load, mut turn: usize, token: &str, key: &str, body: &Value) -> String {
    loop {
        let base = load.bases.lock()[turn % 2].clone();
        turn += 1;
        let headers = [("idempotency-key", key)];
        let reply = Client::new(base)
            .try_send(
                Method::POST,
                "/api/v1/orders",
                Some(token),
                &headers,
                Some(body),
            )
            .await;
        match reply {
            Some(reply) if reply.status == 201 => {
                return reply.body["id"].as_str().expect("an id").to_owned();
            }
            Some(reply) if reply.status == 409 || reply.status.is_server_error() => {}
            Some(reply) => panic!("{key}: {reply:?}"),
            None => {}
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn all(client: &Client, token: &str, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client
            .get(&format!("{path}?limit=100{cursor}"), token)
            .await;
        items.extend(
            page.body["items"]
                .as_array()
                .expect("a page")
                .iter()
                .cloned(),
        );
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_is_killed_under_load_and_nothing_is_lost_or_doubled() {
    let mut replicas = Replicas::start(&[
        ("SHIPPING__SIMULATED__PICKUP_AFTER", "100ms"),
        ("SHIPPING__SIMULATED__DELIVER_AFTER", "200ms"),
    ])
    .await;
    let client = replicas.client(0);
    let admin = client.sign_in(ADMIN.0, ADMIN.1).await;
    let product = client.product(&admin, "P1", 100_000).await;
    let ann = client.customer("ann").await;
    let load = Arc::new(Load {
        bases: Mutex::new([replicas.url(0), replicas.url(1)]),
        stop: AtomicBool::new(false),
        answered: AtomicU64::new(0),
        orders: Mutex::default(),
    });
    let buyers: Vec<_> = (0..CLIENTS)
        .map(|n| tokio::task::spawn(buy(load.clone(), n, ann.clone(), product.clone())))
        .collect();
    // The first holds every lease, and dies; then the one that took them over stops.
    for (index, killed) in [(0, true), (1, true), (0, false)] {
        more(&load, 30).await;
        if killed {
            replicas.kill(index);
        } else {
            replicas.stop(index).await;
        }
        more(&load, 30).await;
        replicas.restart(index).await;
        load.bases.lock()[index] = replicas.url(index);
    }
    more(&load, 30).await;
    load.stop.store(true, Ordering::Relaxed);
    for buyer in buyers {
        buyer.await.expect("no client fails");
    }
    count(&replicas.client(1), &admin, &ann, &load).await;
    replicas.stop(0).await;
    replicas.stop(1).await;
}

/// Waits until so many more orders are answered.
async fn more(load: &Load, orders: u64) {
    let wanted = load.answered.load(Ordering::Relaxed) + orders;
    let began = Instant::now();
    while load.answered.load(Ordering::Relaxed) < wanted {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "no orders are answered"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Each key is one order; all come to their end; each is told of once.
async fn count(client: &Client, admin: &str, ann: &str, load: &Load) {
    let orders = load.orders.lock().clone();
    for (key, ids) in &orders {
        assert_eq!(ids.len(), 1, "{key} became {ids:?}");
    }
    let ended = |order: &Value| matches!(order["status"].as_str(), Some("delivered" | "cancelled"));
    let began = Instant::now();
    let listed = loop {
        let listed = all(client, ann, "/api/v1/orders").await;
        if listed.len() == orders.len() && listed.iter().all(ended) {
            break listed;
        }
        let open = listed.iter().filter(|order| !ended(order)).count();
        let late = began.elapsed() > Duration::from_secs(90);
        assert!(
            !late,
            "{open} of {} never ended, of {} keys",
            listed.len(),
            orders.len()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let expected: usize = listed
        .iter()
        .map(|order| if order["status"] == "delivered" { 5 } else { 3 })
        .sum();
    let told = loop {
        let told = all(client, ann, "/api/v1/notifications").await;
        let about = told.iter().filter(|it| it["order_id"].is_string()).count();
        if about >= expected && told.iter().all(|it| it["status"] != "queued") {
            break told;
        }
        let late = began.elapsed() > Duration::from_secs(120);
        assert!(!late, "{about} of {expected} messages");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let mut seen = BTreeSet::new();
    for message in told.iter().filter(|it| it["order_id"].is_string()) {
        let what = (message["order_id"].to_string(), message["kind"].to_string());
        assert!(seen.insert(what), "told twice: {message}");
    }
    assert_eq!(seen.len(), expected);
    client.demand_balanced_books(admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_does_is_waited_for_and_followed_at_the_other() {
    let replicas = Replicas::start(&[("SHIPPING__SIMULATED__PICKUP_AFTER", "never")]).await;
    let (one, other) = (replicas.client(0), replicas.client(1));
    let admin = one.sign_in(ADMIN.0, ADMIN.1).await;
    let product = one.product(&admin, "P1", 100).await;
    let ann = one.customer("ann").await;

    // What the second has begun, the first is asked about under the same key.
    let body = order(&[(&product, 1)], "pm_sim_slow");
    let place = async |client: &Client, prefer: &str| {
        let headers = [("idempotency-key", "once"), ("prefer", prefer)];
        let path = "/api/v1/orders";
        client
            .send(Method::POST, path, Some(&ann), &headers, Some(&body))
            .await
    };
    let begun = place(&other, "respond-async").await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let id = begun.body["id"].as_str().expect("an id").to_owned();
    let url = format!("{}/api/v1/orders/{id}/events", replicas.url(0));
    let stream = reqwest::Client::new().get(url).bearer_auth(&ann).send();
    let mut stream = stream.await.expect("answered");
    let settled = place(&one, "wait=20").await;
    assert_eq!(settled.body["id"], id.as_str());
    assert_eq!(settled.body["status"], "paid", "{settled:?}");
    let mut text = String::new();
    while !text.contains("order.paid") {
        let chunk = tokio::time::timeout(super::PATIENCE, stream.chunk()).await;
        let chunk = chunk.expect("in time").expect("goes on").expect("goes on");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
}
