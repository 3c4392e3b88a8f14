//! Suite: contexts in processes of their own. Ports over a real network between
//! real programs, the gateway in front of what runs elsewhere, and what each
//! side refuses.

mod away;
mod bodies;
mod broker;
mod crowded;
mod deadlines;
mod guards;
mod operators;
mod settings;
mod tokens;

use cleave_tests::deployment::{Deployment, anonymous};
use cleave_tests::follow::{self, Stream};
use cleave_tests::shop::{Client, order};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Everything but payments, and payments.
const PAYMENT_APART: [&str; 2] = ["user,inventory,shipping,notification,order", "payment"];

/// A customer, and a product that she can buy.
async fn customer(deployment: &Deployment) -> (Client, String, String) {
    let front = deployment.front();
    let admin = deployment.admin().await;
    let product = front.product(&admin, "P1", 100).await;
    let ann = front.customer("ann").await;
    (front, ann, product)
}

/// Orders one, and waits until that came to a status.
async fn ordered(front: &Client, token: &str, product: &str, method: &str, status: &str) -> Value {
    let body = order(&[(product, 1)], method);
    let made = front.post("/api/v1/orders", token, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let path = format!(
        "/api/v1/orders/{}",
        made.body["id"].as_str().expect("an id")
    );
    front
        .until(&path, token, |order| order["status"] == status)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_by_a_payment_context_in_another_process() {
    let deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, ann, product) = customer(&deployment).await;
    let order = ordered(&front, &ann, &product, "pm_card_visa", "paid").await;
    let id = order["id"].as_str().expect("an id");

    // Its payment is looked at through the front, which does not have it.
    let path = format!("/api/v1/payments?order_id={id}");
    let payments = front.get(&path, &ann).await;
    assert_eq!(payments.status, StatusCode::OK);
    assert_eq!(payments.body["items"][0]["status"], "completed");
    let one = format!(
        "/api/v1/payments/{}",
        payments.body["items"][0]["id"].as_str().expect("an id")
    );
    let shown = front.get(&one, &ann).await;
    let tag = shown.headers["etag"].to_str().expect("ascii").to_owned();
    let again = [("if-none-match", tag.as_str())];
    let same = front
        .send(Method::GET, &one, Some(&ann), &again, None)
        .await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);

    // Every process is a front: the other one shows the order that it does not have.
    let there = deployment
        .client(1)
        .get(&format!("/api/v1/orders/{id}"), &ann)
        .await;
    assert_eq!(
        there.body,
        front.get(&format!("/api/v1/orders/{id}"), &ann).await.body
    );

    // A decline is an answer, and undoes the order.
    let declined = ordered(
        &front,
        &ann,
        &product,
        "pm_card_chargeDeclined",
        "cancelled",
    )
    .await;
    assert_eq!(declined["cancellation"]["reason"], "payment_declined");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_through_four_processes_and_a_gateway() {
    let parts = [
        "gateway",
        "user,notification",
        "inventory",
        "payment,shipping",
        "order",
    ];
    let deployment = Deployment::start(&parts, &[]).await;
    let (front, ann, product) = customer(&deployment).await;
    let order = ordered(&front, &ann, &product, "pm_card_visa", "paid").await;
    let path = format!(
        "/api/v1/shipments?order_id={}",
        order["id"].as_str().expect("an id")
    );
    let wanted = |page: &Value| page["items"][0]["order_id"] == order["id"];
    front.until(&path, &ann, wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_front_answers_does_not_tell_where_a_context_runs() {
    let deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, ann, _) = customer(&deployment).await;
    let (here, there) = (&deployment.client(1), &front);
    let cases = [
        (Method::GET, "/api/v1/payments", None, 401, "unauthorized"),
        (
            Method::GET,
            "/api/v1/payments/pay_x",
            Some(&ann),
            404,
            "not_found",
        ),
        (
            Method::GET,
            "/api/v1/payments/a/b/c",
            Some(&ann),
            404,
            "not_found",
        ),
        (
            Method::GET,
            "/api/v1/payments/",
            Some(&ann),
            404,
            "not_found",
        ),
        (
            Method::DELETE,
            "/api/v1/payments",
            Some(&ann),
            405,
            "method_not_allowed",
        ),
        (
            Method::GET,
            "/api/v1/payments?limit=0",
            Some(&ann),
            422,
            "validation_failed",
        ),
    ];
    for (method, path, token, status, code) in cases {
        let mut replies = Vec::new();
        for client in [here, there] {
            let id = [("x-correlation-id", "mine")];
            let token = token.map(String::as_str);
            let reply = client.send(method.clone(), path, token, &id, None).await;
            assert_eq!(reply.status.as_u16(), status, "{path}: {reply:?}");
            assert_eq!(reply.body["code"], code, "{path}");
            assert_eq!(reply.body["correlation_id"], "mine");
            assert_eq!(reply.headers.get_all("x-correlation-id").iter().count(), 1);
            let mut names: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
            names.sort();
            replies.push((names, reply.headers.get("allow").cloned(), reply.body));
        }
        assert_eq!(replies[0], replies[1], "{path}");
    }
    let large = json!({ "reason": "x".repeat(300 * 1024) });
    for client in [here, there] {
        let path = "/api/v1/payments/pay_x/refunds";
        let reply = client.post(path, &ann, &large).await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let keys = anonymous(here, "/.well-known/jwks.json").await;
    assert_eq!(
        keys.body,
        anonymous(there, "/.well-known/jwks.json").await.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_passes_as_it_comes_and_goes_on_where_it_was() {
    let parts = [
        "gateway",
        "user,inventory,payment,shipping,notification,order",
    ];
    let deployment =
        Deployment::start(&parts, &[("SHIPPING__SIMULATED__PICKUP_AFTER", "never")]).await;
    let (front, ann, product) = customer(&deployment).await;
    let order = ordered(&front, &ann, &product, "pm_card_visa", "paid").await;
    let path = follow::path(order["id"].as_str().expect("an id"));
    let stream = async |last: Option<&str>| {
        let opened = Stream::open(&front, &path, &ann, last).await;
        opened.live()
    };
    let whole = stream(None).await.first(3).await;
    // From the second on, as a client does that lost the connection behind the first.
    let rest = stream(Some(&whole[0].place)).await.first(2).await;
    assert_eq!(whole[1..], rest);
}
