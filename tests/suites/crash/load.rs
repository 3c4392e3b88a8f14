//! Customers who buy until they are told to stop, each order under a key of its
//! own and asked for until it is answered; and what must be true in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cleave_tests::shop::{Client, order};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinHandle;

const CLIENTS: usize = 8;
/// After which a program that has not answered has left a request hanging: twice
/// its own limit.
const PATIENCE: Duration = Duration::from_secs(59);
/// After which what was placed must have come to its end.
const END: Duration = Duration::from_secs(120);
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

type Orders = BTreeMap<String, BTreeSet<String>>;

/// The load on a shop.
pub(super) struct Load {
    shared: Arc<Shared>,
    buyers: Vec<JoinHandle<()>>,
    customer: String,
}

struct Shared {
    /// Where it is sold at the moment: each try goes to the next.
    bases: Mutex<Vec<String>>,
    turn: AtomicUsize,
    stop: AtomicBool,
    keys: AtomicU64,
    /// Which order each key became, as every answer for it said.
    orders: Mutex<Orders>,
}

impl Load {
    /// Begins to buy at the shop of `client`.
    pub(super) async fn begin(client: &Client, admin: &str) -> Self {
        let mut products = Vec::new();
        for n in 0..5 {
            products.push(client.product(admin, &format!("P{n}"), 100_000).await);
        }
        let customer = client.customer("ann").await;
        let shared = Arc::new(Shared {
            bases: Mutex::new(vec![client.url().to_owned()]),
            turn: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            keys: AtomicU64::new(0),
            orders: Mutex::default(),
        });
        let buyer = |n| buy(shared.clone(), n as u64, customer.clone(), products.clone());
        let buyers = (0..CLIENTS).map(|n| tokio::task::spawn(buyer(n)));
        let buyers = buyers.collect();
        Self {
            shared,
            buyers,
            customer,
        }
    }

    /// The shop is somewhere else from now on, or at several addresses.
    pub(super) fn moved<const N: usize>(&self, bases: [String; N]) {
        *self.shared.bases.lock() = bases.into();
    }

    /// Waits until so many more orders have been answered.
    pub(super) async fn goes_on(&self, orders: u64) {
        let keys = &self.shared.keys;
        let wanted = keys.load(Ordering::Relaxed) + orders;
        while keys.load(Ordering::Relaxed) < wanted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends it, and demands that each key is exactly one order, that every order is
    /// at its end, that the books balance and that nobody was told anything twice.
    pub(super) async fn end(self, client: &Client, admin: &str) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for buyer in self.buyers {
            buyer.await.expect("no client fails");
        }
        let orders = self.shared.orders.lock().clone();
        count(client, admin, &self.customer, &orders).await;
    }
}

/// Places one order after the other, each until it is answered.
async fn buy(load: Arc<Shared>, client: u64, token: String, products: Vec<String>) {
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

impl Shared {
    fn next(&self) -> Client {
        let bases = self.bases.lock();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Client::new(bases[turn % bases.len()].clone())
    }
}

/// Sends it until there is an answer that counts.
async fn place(load: &Shared, token: &str, key: &str, body: &Value) -> String {
    loop {
        let client = load.next();
        let asked = Instant::now();
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
            // Nobody is there at the moment; whoever is there answers.
            None => assert!(asked.elapsed() < PATIENCE, "{key} was never answered"),
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

async fn count(client: &Client, admin: &str, ann: &str, orders: &Orders) {
    client.demand_balanced_books(admin).await;
    for (key, ids) in orders {
        assert_eq!(ids.len(), 1, "{key} became {ids:?}");
    }
    let unfinished =
        |order: &Value| !matches!(order["status"].as_str(), Some("delivered" | "cancelled"));
    let mut listed = all(client, ann, "/api/v1/orders").await;
    let begun = Instant::now();
    while listed.len() != orders.len() || listed.iter().any(unfinished) {
        let open: Vec<&Value> = listed.iter().filter(|order| unfinished(order)).collect();
        assert!(begun.elapsed() < END, "these never ended: {open:#?}");
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
}
