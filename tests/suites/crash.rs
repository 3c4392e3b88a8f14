//! Suite: the real program, killed at random moments under load, twenty times
//! in a row. Clients go on with their keys; in the end each key is exactly one
//! order, the books balance, and nobody was told anything twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cleave_tests::program::Program;
use cleave_tests::shop::{ADMIN, Client, order};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

const KILLS: usize = 20;
const CLIENTS: usize = 8;
/// Instruments with each kind of outcome, the usual one most often.
const METHODS: [&str; 8] = [
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_visa",
    "pm_sim_flaky",
    "pm_sim_timeout",
    "pm_card_chargeDeclined",
    "pm_card_visa",
];

struct Load {
    /// Where the server is at the moment.
    base: Mutex<String>,
    stop: AtomicBool,
    keys: AtomicU64,
    /// Which order each key became, as every answer for it said.
    orders: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

fn environment() -> Vec<(&'static str, &'static str)> {
    vec![
        ("CLEAVE__ADMIN__EMAIL", ADMIN.0),
        ("CLEAVE__ADMIN__PASSWORD", ADMIN.1),
        ("CLEAVE__GATEWAY__RATE_LIMIT__ENABLED", "false"),
        ("CLEAVE__SHIPPING__SIMULATED__PICKUP_AFTER", "100ms"),
        ("CLEAVE__SHIPPING__SIMULATED__DELIVER_AFTER", "200ms"),
        ("CLEAVE__USER__HASHING__MEMORY_KIB", "8"),
        ("CLEAVE__USER__HASHING__ITERATIONS", "1"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twenty_times_under_load_nothing_is_lost_and_nothing_doubled() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_owned();
    let start = move || Program::serve(&data, &[], &environment());
    let mut program = start();
    let client = Client::new(program.url());
    let admin = client.sign_in(ADMIN.0, ADMIN.1).await;
    let mut products = Vec::new();
    for n in 0..5 {
        products.push(client.product(&admin, &format!("P{n}"), 100_000).await);
    }
    let ann = client.customer("ann").await;
    let load = Arc::new(Load {
        base: Mutex::new(program.url()),
        stop: AtomicBool::new(false),
        keys: AtomicU64::new(0),
        orders: Mutex::default(),
    });
    let buyers: Vec<_> = (0..CLIENTS)
        .map(|n| tokio::task::spawn(buy(load.clone(), n as u64, ann.clone(), products.clone())))
        .collect();
    let seed: u64 = rand::rng().random();
    eprintln!("moments of the kills are drawn from the seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    for _ in 0..KILLS {
        let placed = load.keys.load(Ordering::Relaxed);
        let moment = Duration::from_millis(random.random_range(20..600));
        // A moment counts from the first order that this life of the program has answered.
        while load.keys.load(Ordering::Relaxed) == placed {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(moment).await;
        program.kill();
        let next = start.clone();
        program = tokio::task::spawn_blocking(next).await.expect("starts");
        *load.base.lock() = program.url();
    }
    load.stop.store(true, Ordering::Relaxed);
    for buyer in buyers {
        buyer.await.expect("no client fails");
    }
    let client = Client::new(program.url());
    let admin = client.sign_in(ADMIN.0, ADMIN.1).await;
    count(&client, &admin, &ann, &load).await;
    let (status, log) = tokio::task::spawn_blocking(move || program.stop())
        .await
        .expect("stops");
    assert!(status.success(), "{log}");
}

/// Places one order after the other, each until it is answered.
async fn buy(load: Arc<Load>, client: u64, token: String, products: Vec<String>) {
    let mut random = rand::rngs::StdRng::seed_from_u64(client);
    let mut n = 0;
    while !load.stop.load(Ordering::Relaxed) {
        let key = format!("client-{client}-{n}");
        n += 1;
        let (one, other) = (
            random.random_range(0..products.len()),
            random.random_range(0..products.len()),
        );
        let method = METHODS[random.random_range(0..METHODS.len())];
        let body = order(&[(&products[one], 1), (&products[other], 2)], method);
        // Every tenth is sent again although it was answered, as a client does that crashed itself.
        for _ in 0..if n % 10 == 0 { 2 } else { 1 } {
            let id = place(&load, &token, &key, &body).await;
            load.orders
                .lock()
                .entry(key.clone())
                .or_default()
                .insert(id);
        }
        load.keys.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends it until there is an answer that counts.
async fn place(load: &Load, token: &str, key: &str, body: &Value) -> String {
    loop {
        let client = Client::new(load.base.lock().clone());
        let headers = [("idempotency-key", key)];
        let reply = client
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
            Some(reply) if reply.status.as_u16() == 409 || reply.status.is_server_error() => {}
            Some(reply) => panic!("{key}: {reply:?}"),
            None => {}
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn all(client: &Client, token: &str, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client
            .get(&format!("{path}?limit=100{cursor}"), token)
            .await
            .body;
        items.extend(page["items"].as_array().expect("a page").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

async fn count(client: &Client, admin: &str, ann: &str, load: &Load) {
    client.demand_balanced_books(admin).await;
    let orders = load.orders.lock().clone();
    assert!(
        orders.len() > KILLS,
        "there was hardly any load: {} orders",
        orders.len()
    );
    for (key, ids) in &orders {
        assert_eq!(ids.len(), 1, "{key} became {ids:?}");
    }
    let unfinished =
        |order: &Value| !matches!(order["status"].as_str(), Some("delivered" | "cancelled"));
    let mut listed = all(client, ann, "/api/v1/orders").await;
    while listed.len() != orders.len() || listed.iter().any(unfinished) {
        assert!(
            listed.len() <= orders.len(),
            "{} orders, and {} keys",
            listed.len(),
            orders.len()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
        listed = all(client, ann, "/api/v1/orders").await;
    }
    // Every order's owner hears of each thing once, and of everything.
    let expected: usize = listed
        .iter()
        .map(|order| if order["status"] == "delivered" { 5 } else { 3 })
        .sum();
    let told = loop {
        let told = all(client, ann, "/api/v1/notifications").await;
        let about_orders = told.iter().filter(|n| n["order_id"].is_string()).count();
        let waiting = told
            .iter()
            .any(|notification| notification["status"] == "queued");
        if about_orders >= expected && !waiting {
            break told;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let mut seen = BTreeSet::new();
    for notification in told.iter().filter(|n| n["order_id"].is_string()) {
        let what = (
            notification["order_id"].to_string(),
            notification["kind"].to_string(),
        );
        assert!(seen.insert(what), "told twice: {notification}");
    }
    assert_eq!(seen.len(), expected);
    client.demand_balanced_books(admin).await;
    let topology = client.get("/api/v1/ops/topology", admin).await;
    assert_ne!(topology.body, json!(null));
}
