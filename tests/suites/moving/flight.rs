//! An order whose payment waits goes on where its data went.

use cleave_tests::postgres;
use cleave_tests::shop::{ADMIN, Client};
use serde_json::{Value, json};

use super::{bought, dump, folder, moved, place, place_of, relocate, serve, stop};

/// A gateway that does not answer in time.
pub(super) const SILENT: [(&str, &str); 2] = [
    ("CLEAVE__PAYMENT__SIMULATED__LATENCY", "1m"),
    ("CLEAVE__PAYMENT__GATEWAY__TIME_LIMIT", "200ms"),
];

pub(super) fn is_paid(order: &Value) -> bool {
    ["paid", "shipped", "delivered"].contains(&order["status"].as_str().unwrap_or_default())
}

/// Waits until nobody knows what became of the order's payment.
pub(super) async fn waits(client: &Client, token: &str, path: &str) {
    let order = path.rsplit('/').next().expect("an id");
    let payment = format!("/api/v1/payments?order_id={order}");
    let waits = |page: &Value| {
        let status = page["items"][0]["status"].as_str().unwrap_or_default();
        ["queued", "unknown"].contains(&status)
    };
    client.until(&payment, token, waits).await;
}

/// One context there and back, with an order in flight each time.
async fn there_and_back(context: &str) {
    let data = folder();
    let shop = serve(data.path(), &[]).await;
    let (_, _, product) = bought(&shop).await;
    stop(shop);
    let url = postgres::shared().schema().await;
    let setting = place_of(context);
    let on_postgres = [(setting.as_str(), url.as_str())];
    let file = data.path().join(format!("{context}.db"));

    for there in [true, false] {
        let (before, after) = if there {
            (&[][..], &on_postgres[..])
        } else {
            (&on_postgres[..], &[][..])
        };
        let settings: Vec<_> = before.iter().chain(&SILENT).copied().collect();
        let shop = serve(data.path(), &settings).await;
        let client = Client::new(shop.url());
        let ann = client
            .sign_in("ann@customer.example", "a customer's password")
            .await;
        let path = place(&client, &ann, &product, "pm_card_visa").await;
        waits(&client, &ann, &path).await;
        stop(shop);

        let to = if there {
            url.clone()
        } else {
            std::fs::rename(&file, file.with_extension("old")).expect("put out of the way");
            format!("sqlite:{context}.db")
        };
        let source = there.then(|| dump(&file));
        moved(&relocate(data.path(), context, &to, before));
        if let Some(source) = source {
            assert!(source == dump(&file), "the source stays as it was");
        }

        let shop = serve(data.path(), after).await;
        let client = Client::new(shop.url());
        client.until(&path, &ann, is_paid).await;
        // Numbers go on behind those that were copied.
        let next = place(&client, &ann, &product, "pm_card_visa").await;
        client.until(&next, &ann, is_paid).await;
        let admin = client.sign_in(ADMIN.0, ADMIN.1).await;
        client.demand_balanced_books(&admin).await;
        stop(shop);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_waits_is_paid_after_payment_has_moved() {
    there_and_back("payment").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_in_flight_goes_on_after_order_has_moved() {
    there_and_back("order").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_on_postgres_is_given_back_from_a_file() {
    let data = folder();
    let url = postgres::shared().schema().await;
    let setting = place_of("payment");
    let on_postgres = [(setting.as_str(), url.as_str())];
    let shop = serve(data.path(), &on_postgres).await;
    bought(&shop).await;
    stop(shop);
    let there = relocate(data.path(), "payment", "sqlite:payment.db", &on_postgres);
    moved(&there);
    let beside = "There is no simulated-gateway.db in .:";
    assert!(there.out.contains(beside), "{}", there.out);

    let shop = serve(data.path(), &[]).await;
    let client = Client::new(shop.url());
    let admin = client.sign_in(ADMIN.0, ADMIN.1).await;
    let orders = client.get("/api/v1/orders", &admin).await;
    let orders = orders.body["items"].as_array().expect("orders");
    let order = orders.iter().find(|order| is_paid(order));
    let order = order.expect("one was paid")["id"].as_str().expect("an id");
    let payments = format!("/api/v1/payments?order_id={order}");
    let payments = client.get(&payments, &admin).await;
    let payment = payments.body["items"][0]["id"].as_str().expect("an id");
    let refunds = format!("/api/v1/payments/{payment}/refunds");
    let body = json!({"reason": "damaged"});
    let given = client.post(&refunds, &admin, &body).await;
    assert_eq!(given.status, 201, "{given:?}");
    assert_eq!(given.body["status"], "completed", "{given:?}");
    client.demand_balanced_books(&admin).await;
    stop(shop);
}
