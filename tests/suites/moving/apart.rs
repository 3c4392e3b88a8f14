//! The walk of `docs/splitting.md`, with the settings that the project ships: payments
//! leave a shop on SQLite for a process and a database of their own, and come back,
//! with an order under way each time.

use std::path::Path;

use cleave_tests::broker::Broker;
use cleave_tests::deployment::{KEY, free};
use cleave_tests::postgres;
use cleave_tests::program::{Program, run};
use cleave_tests::shop::{ADMIN, Client};
use serde_json::Value;

use super::flight::{SILENT, is_paid, waits};
use super::{bought, folder, moved, place, serve, serve_with, stop};

const FILES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../config/topologies/payment-apart"
);
/// Where payment is kept.
const PAYMENT: &str = "CLEAVE__DATABASE__PAYMENT__URL";
/// The waits between attempts of a step, so that the test's are short.
const SOON: (&str, &str) = ("CLEAVE__ORDER__STEPS__BACKOFF_LIMIT", "500ms");

/// The two processes, and what carries events between them.
struct Pair {
    front: Program,
    payment: Option<Program>,
    broker: Broker,
}

impl Pair {
    /// Starts both as the guide does. Their addresses are other ones, because many
    /// tests share this machine.
    async fn start(shop: &Path, url: &str) -> Self {
        let broker = Broker::start().await;
        let (front, payment) = (free().to_string(), free().to_string());
        let (to_front, to_payment) = (format!("http://{front}"), format!("http://{payment}"));
        let bus = broker.url();
        let mut shared = vec![
            ("CLEAVE__INTERNAL__KEY", KEY),
            ("CLEAVE__BUS__NATS__URL", &bus),
            SOON,
            ("CLEAVE__TOPOLOGY__PAYMENT", &to_payment),
        ];
        for context in [
            "CLEAVE__TOPOLOGY__USER",
            "CLEAVE__TOPOLOGY__INVENTORY",
            "CLEAVE__TOPOLOGY__SHIPPING",
            "CLEAVE__TOPOLOGY__NOTIFICATION",
            "CLEAVE__TOPOLOGY__ORDER",
        ] {
            shared.push((context, &to_front));
        }
        let start = async |data: &str, file: &str, further: &[(&str, &str)]| {
            let words = ["shared", file].map(|name| format!("{FILES}/{name}.toml"));
            let words = ["--config", &words[0], "--config", &words[1]];
            let settings = [&shared, further].concat();
            serve_with(&shop.join(data), &words, &settings).await
        };
        let listens = ("CLEAVE__INTERNAL__LISTEN", payment.as_str());
        let payment = start("data-payment", "payment", &[listens, (PAYMENT, url)]).await;
        let listens = ("CLEAVE__INTERNAL__LISTEN", front.as_str());
        let front = start("data", "front", &[listens]).await;
        Self {
            front,
            payment: Some(payment),
            broker,
        }
    }
}

/// Runs `cleave move payment` as the guide does, in the folder of the shop.
fn move_payment(shop: &Path, to: &str, settings: &[(&str, &str)]) {
    let settings = [settings, &[("CLEAVE_MOVE_TO", to)]].concat();
    moved(&run(shop, &["move", "payment"], &settings));
}

/// Puts a database away with what SQLite keeps beside it.
fn put(shop: &Path, name: &str, from: &str, to: &str) {
    std::fs::create_dir_all(shop.join(to)).expect("a folder");
    let entries = std::fs::read_dir(shop.join(from)).expect("the folder is there");
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let file = entry.file_name().into_string().expect("UTF-8");
        if file.starts_with(name) {
            std::fs::rename(entry.path(), shop.join(to).join(file)).expect("put away");
        }
    }
}

/// Ann's order is paid, by one charge and no more; then the books are audited.
async fn paid_once(client: &Client, ann: &str, path: &str) {
    client.until(path, ann, is_paid).await;
    let order = path.rsplit('/').next().expect("an id");
    let payments = format!("/api/v1/payments?order_id={order}");
    let done = |page: &Value| page["items"][0]["status"] == "completed";
    let page = client.until(&payments, ann, done).await;
    let transactions = page["items"][0]["transactions"].as_array().expect("a list");
    let charges = transactions
        .iter()
        .filter(|one| one["kind"] == "charge" && one["status"] == "completed");
    assert_eq!(charges.count(), 1, "{transactions:?}");
    let admin = client.sign_in(ADMIN.0, ADMIN.1).await;
    client.demand_balanced_books(&admin).await;
}

async fn ann(client: &Client) -> String {
    let password = "a customer's password";
    client.sign_in("ann@customer.example", password).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_in_flight_goes_on_when_payments_move_out_and_when_they_come_back() {
    let shop = folder();
    let data = shop.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let program = serve(&data, &[]).await;
    let (_, _, product) = bought(&program).await;
    stop(program);

    // The gateway falls silent, and what became of the money is not known.
    let program = serve(&data, &SILENT).await;
    let client = Client::new(program.url());
    let token = ann(&client).await;
    let order = place(&client, &token, &product, "pm_card_visa").await;
    waits(&client, &token, &order).await;
    stop(program);

    let owner = postgres::shared().database().await;
    let granted = [("CLEAVE__DATABASE__URL", owner.as_str())];
    let granted = run(shop.path(), &["migrate", "--grant"], &granted);
    assert!(granted.status.success(), "{}", granted.err);
    let url = owner.replace("//owner@", "//cleave_payment@");
    move_payment(shop.path(), &url, &[]);
    std::fs::create_dir(shop.path().join("data-payment")).expect("a folder");
    put(shop.path(), "simulated-gateway.db", "data", "data-payment");
    put(shop.path(), "payment.db", "data", "before");

    let mut pair = Pair::start(shop.path(), &url).await;
    let client = Client::new(pair.front.url());
    let token = ann(&client).await;
    paid_once(&client, &token, &order).await;
    assert!(
        !data.join("payment.db").exists(),
        "the front has no payments"
    );

    // One is paid there, and one is under way when payments die.
    let there = place(&client, &token, &product, "pm_card_visa").await;
    paid_once(&client, &token, &there).await;
    pair.payment.take().expect("it runs").kill();
    let order = place(&client, &token, &product, "pm_card_visa").await;
    let confirmed = |order: &Value| order["status"] == "confirmed";
    client.until(&order, &token, confirmed).await;
    stop(pair.front);
    drop(pair.broker);

    move_payment(shop.path(), "sqlite:data/payment.db", &[(PAYMENT, &url)]);
    put(shop.path(), "simulated-gateway.db", "data-payment", "data");
    let program = serve(&data, &[SOON]).await;
    let client = Client::new(program.url());
    let token = ann(&client).await;
    paid_once(&client, &token, &order).await;
    paid_once(&client, &token, &there).await;
    stop(program);
}
