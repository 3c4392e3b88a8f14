//! Customers who buy until they are told to stop, each order under a key of its own
//! and asked for until it is answered; others who look at everything meanwhile, and one
//! who follows orders live. Each answer is timed, whatever it says: the shop has a limit
//! for every request, and what takes far longer has hung.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cleave_tests::follow::{Item, demand_whole};
use cleave_tests::shop::{Client, Reply, order};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::{books, looks};

const CLIENTS: usize = 8;
/// What the shop is told, so that its limits are reached while a test waits: a request's
/// own, and how often a stream that has nothing to tell shows that it lives.
pub(super) const LIMITS: [(&str, &str); 2] = [
    ("HTTP__TIME_LIMIT", "2s"),
    ("ORDER__FOLLOW__KEEP_ALIVE", "1s"),
];
/// After which a request has hung, and a stream that tells nothing too: three times
/// that limit, so that a slow machine is none. What is to show that nothing hangs has
/// to last longer.
pub(super) const HUNG: Duration = Duration::from_secs(6);
/// How long a client waits: a little longer.
const PATIENCE: Duration = Duration::from_secs(8);
/// After which a load that did not go on never will.
const STANDSTILL: Duration = Duration::from_secs(120);
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

/// Which orders each key became; in the end, each exactly one.
pub(super) type Orders = BTreeMap<String, BTreeSet<String>>;

/// The load on a shop.
pub(super) struct Load {
    shared: Arc<Shared>,
    /// Those who buy, and those who look.
    clients: Vec<JoinHandle<()>>,
    follower: JoinHandle<Vec<(String, Vec<Item>)>>,
    customer: String,
}

/// What the clients share.
pub(super) struct Shared {
    /// Where it is sold at the moment: each try goes to the next.
    bases: Mutex<Vec<String>>,
    turn: AtomicUsize,
    stop: AtomicBool,
    keys: AtomicU64,
    /// Which order each key became, as every answer for it said.
    orders: Mutex<Orders>,
    /// The last one that was placed.
    latest: Mutex<Option<String>>,
    /// The longest that a request took, in milliseconds.
    longest: AtomicU64,
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
            latest: Mutex::default(),
            longest: AtomicU64::new(0),
        });
        let buyer = |n| buy(shared.clone(), n as u64, customer.clone(), products.clone());
        let buyers = (0..CLIENTS).map(|n| tokio::task::spawn(buyer(n)));
        let looker = |token: &str, paths| {
            tokio::task::spawn(looks::look(shared.clone(), token.to_owned(), paths))
        };
        let lookers = [
            looker(&customer, &looks::CUSTOMERS[..]),
            looker(admin, &looks::OPERATORS[..]),
        ];
        let follower = looks::follow(shared.clone(), customer.clone());
        Self {
            clients: buyers.chain(lookers).collect(),
            follower: tokio::task::spawn(follower),
            shared,
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
        let begun = Instant::now();
        while keys.load(Ordering::Relaxed) < wanted {
            let failed = self.clients.iter().any(JoinHandle::is_finished);
            assert!(!failed && !self.follower.is_finished(), "a client failed");
            assert!(begun.elapsed() < STANDSTILL, "nothing is sold any more");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The longest that a request has taken.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_millis(self.shared.longest.load(Ordering::Relaxed))
    }

    /// Ends it, and demands that nothing was lost and nothing doubled: of the orders,
    /// and of what the stream told.
    pub(super) async fn end(self, client: &Client, admin: &str) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for one in self.clients {
            one.await.expect("no client fails");
        }
        let orders = self.shared.orders.lock().clone();
        books::demand_sound(client, admin, &self.customer, &orders).await;
        let followed = self.follower.await.expect("no stream fails");
        assert!(!followed.is_empty(), "no order was followed");
        for (order, told) in &followed {
            demand_whole(client, order, &self.customer, told).await;
        }
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
                .insert(id.clone());
            *load.latest.lock() = Some(id);
        }
        load.keys.fetch_add(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Whether it goes on.
    pub(super) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// The last order that was placed.
    pub(super) fn latest(&self) -> Option<String> {
        self.latest.lock().clone()
    }

    /// Who is asked next.
    pub(super) fn next(&self) -> Client {
        let bases = self.bases.lock();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Client::new(bases[turn % bases.len()].clone()).patient(PATIENCE)
    }

    /// Asks the next, and demands that it does not hang; `None` where nobody is there.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Option<Reply> {
        let client = self.next();
        let what = format!("{method} {path}");
        let asked = Instant::now();
        let sent = client.try_send(method, path, Some(token), headers, body);
        let reply = self.in_time(&what, sent).await;
        let took = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.longest.fetch_max(took, Ordering::Relaxed);
        reply
    }

    /// Waits for what must come within the limit, whatever it is.
    pub(super) async fn in_time<T>(&self, what: &str, coming: impl Future<Output = T>) -> T {
        let asked = Instant::now();
        let came = tokio::time::timeout(PATIENCE, coming).await;
        let took = asked.elapsed();
        assert!(took < HUNG, "{what} hung: nothing for {took:?}");
        came.expect("it came before")
    }
}

/// Sends it until there is an answer that counts.
async fn place(load: &Shared, token: &str, key: &str, body: &Value) -> String {
    let headers = [("idempotency-key", key)];
    loop {
        let asked = load.ask(Method::POST, "/api/v1/orders", token, &headers, Some(body));
        match asked.await {
            Some(reply) if reply.status == 201 => {
                return reply.body["id"].as_str().expect("an id").to_owned();
            }
            Some(reply) if reply.status.as_u16() == 409 || reply.status.is_server_error() => {}
            Some(reply) => panic!("{key}: {reply:?}"),
            // Nobody is there at the moment; whoever is there answers.
            None => {}
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
