//! An order from its placing to its delivery, and each way in which it can end otherwise.

use cleave_tests::shop::{Client, Shop, address, order};
use reqwest::Method;
use serde_json::{Value, json};

/// Places an order and waits until its fulfilment has settled.
async fn place(client: &Client, token: &str, body: &Value) -> Value {
    let reply = client
        .send(
            Method::POST,
            "/api/v1/orders",
            Some(token),
            &[("prefer", "wait=30")],
            Some(body),
        )
        .await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.body
}

async fn stock(client: &Client, product: &str) -> (i64, i64) {
    let reply = client
        .get(&format!("/api/v1/inventory/products/{product}/stock"), "")
        .await;
    (
        reply.body["on_hand"].as_i64().unwrap_or(-1),
        reply.body["reserved"].as_i64().unwrap_or(-1),
    )
}

async fn payment(client: &Client, token: &str, order: &Value) -> Value {
    let id = order["id"].as_str().expect("an id");
    client
        .get(&format!("/api/v1/payments?order_id={id}"), token)
        .await
        .body["items"][0]
        .clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_paid_shipped_and_delivered_and_its_owner_hears_of_it() {
    let shop = Shop::open_set(&[
        ("shipping.simulated.pickup_after", "0s"),
        ("shipping.simulated.deliver_after", "0s"),
    ])
    .await;
    let client = shop.client();
    let product = client.product(&shop.admin, "CANDLE", 10).await;
    let ann = client.customer("ann").await;
    let placed = place(client, &ann, &order(&[(&product, 3)], "pm_card_visa")).await;
    let path = format!("/api/v1/orders/{}", placed["id"].as_str().expect("an id"));
    let delivered = client
        .until(&path, &ann, |order| order["status"] == "delivered")
        .await;
    assert_eq!(
        delivered["total"],
        json!({ "amount": 750, "currency": "GBP" })
    );
    assert_eq!(delivered["payment"]["status"], "completed");
    assert_eq!(delivered["shipment"]["status"], "delivered");
    assert_eq!(stock(client, &product).await, (7, 0));

    let timeline = client.get(&format!("{path}/timeline"), &ann).await.body;
    let statuses: Vec<&str> = timeline["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|item| item["kind"] == "status")
        .filter_map(|item| item["name"].as_str())
        .collect();
    assert_eq!(
        statuses,
        ["pending", "confirmed", "paid", "shipped", "delivered"]
    );

    let kinds = [
        "order_created",
        "order_confirmed",
        "order_paid",
        "order_shipped",
        "order_delivered",
    ];
    let all_sent = |page: &Value| {
        let sent = |kind: &&str| {
            page["items"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|n| n["kind"] == **kind && n["status"] == "sent")
                .count()
                == 1
        };
        kinds.iter().all(sent)
    };
    client
        .until("/api/v1/notifications?limit=100", &ann, all_sent)
        .await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_undone_to_the_last_penny() {
    let shop = Shop::open().await;
    let client = shop.client();
    let product = client.product(&shop.admin, "CANDLE", 10).await;
    let ann = client.customer("ann").await;

    let mut refused = order(&[(&product, 2)], "pm_card_visa");
    refused["shipping_address"] = address("00000");
    for (body, reason, left) in [
        (
            order(&[(&product, 2)], "pm_card_chargeDeclined"),
            "payment_declined",
            Some("failed"),
        ),
        (
            order(&[(&product, 2)], "pm_card_chargeDeclinedInsufficientFunds"),
            "payment_declined",
            Some("failed"),
        ),
        (refused, "shipping_refused", Some("refunded")),
    ] {
        let ended = place(client, &ann, &body).await;
        assert_eq!(
            (&ended["status"], &ended["cancellation"]["reason"]),
            (&json!("cancelled"), &json!(reason))
        );
        assert_eq!(payment(client, &ann, &ended).await["status"].as_str(), left);
        assert_eq!(stock(client, &product).await, (10, 0), "{reason}");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_that_pass_do_not_show_in_the_end() {
    let shop = Shop::open().await;
    let client = shop.client();
    let product = client.product(&shop.admin, "CANDLE", 10).await;
    let ann = client.customer("ann").await;
    let mut twice = order(&[(&product, 1)], "pm_card_visa");
    twice["shipping_address"] = address("99999");
    for body in [
        order(&[(&product, 1)], "pm_sim_flaky"),
        order(&[(&product, 1)], "pm_sim_timeout"),
        twice,
    ] {
        let ended = place(client, &ann, &body).await;
        assert_eq!(ended["status"], "paid", "{}", body["payment_method"]);
        let payment = payment(client, &ann, &ended).await;
        let charges = payment["transactions"].as_array().into_iter().flatten();
        assert_eq!(
            charges
                .filter(|t| t["kind"] == "charge" && t["status"] == "completed")
                .count(),
            1,
            "{payment}"
        );
    }
    assert_eq!(stock(client, &product).await.0, 7);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_waits_for_payments_is_cancelled_on_request_and_undone() {
    let shop = Shop::open().await;
    let client = shop.client();
    let product = client.product(&shop.admin, "CANDLE", 10).await;
    let ann = client.customer("ann").await;
    let placed = client
        .post(
            "/api/v1/orders",
            &ann,
            &order(&[(&product, 4)], "pm_sim_unavailable"),
        )
        .await
        .body;
    let path = format!("/api/v1/orders/{}", placed["id"].as_str().expect("an id"));
    client
        .until(&path, &ann, |order| order["status"] == "confirmed")
        .await;
    assert_eq!(stock(client, &product).await, (10, 4));
    let cancelled = client
        .post(
            &format!("{path}/cancel"),
            &ann,
            &json!({ "reason": "changed my mind" }),
        )
        .await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let ended = client
        .until(&path, &ann, |order| order["status"] == "cancelled")
        .await;
    assert_eq!(ended["cancellation"]["reason"], "cancelled_by_customer");
    assert_eq!(stock(client, &product).await, (10, 0));
    let again = client
        .post(&format!("{path}/cancel"), &ann, &json!({}))
        .await;
    assert_eq!(
        (again.status.as_u16(), again.body["code"].as_str()),
        (409, Some("order_not_cancellable"))
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_that_expires_cancels_the_order() {
    let shop = Shop::open_set(&[("inventory.reservation_ttl", "1s")]).await;
    let client = shop.client();
    let product = client.product(&shop.admin, "CANDLE", 10).await;
    let ann = client.customer("ann").await;
    let ended = place(client, &ann, &order(&[(&product, 4)], "pm_sim_unavailable")).await;
    let path = format!("/api/v1/orders/{}", ended["id"].as_str().expect("an id"));
    let ended = client
        .until(&path, &ann, |order| order["status"] == "cancelled")
        .await;
    assert_eq!(ended["cancellation"]["reason"], "expired");
    assert_eq!(stock(client, &product).await, (10, 0));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_somebody_elses_is_not_there() {
    let shop = Shop::open().await;
    let client = shop.client();
    let product = client.product(&shop.admin, "CANDLE", 10).await;
    let (ann, ben) = (client.customer("ann").await, client.customer("ben").await);
    let placed = place(client, &ann, &order(&[(&product, 1)], "pm_card_visa")).await;
    let id = placed["id"].as_str().expect("an id");
    for path in ["", "/timeline", "/events"] {
        let reply = client
            .get(&format!("/api/v1/orders/{id}{path}"), &ben)
            .await;
        assert_eq!(
            (reply.status.as_u16(), reply.body["code"].as_str()),
            (404, Some("not_found")),
            "{path}"
        );
    }
    for (kind, member) in [("payments", "payment"), ("shipments", "shipment")] {
        let other = placed[member]["id"].as_str().expect("an id");
        assert_eq!(
            client
                .get(&format!("/api/v1/{kind}/{other}"), &ben)
                .await
                .status,
            404
        );
        assert_eq!(
            client
                .get(&format!("/api/v1/{kind}?order_id={id}"), &ben)
                .await
                .body["items"],
            json!([])
        );
        assert_eq!(
            client
                .get(&format!("/api/v1/{kind}/{other}"), &shop.admin)
                .await
                .status,
            200
        );
    }
    for path in ["/api/v1/ops/sagas", "/api/v1/ops/topology", "/api/v1/users"] {
        assert_eq!(client.get(path, &ann).await.status, 403, "{path}");
    }
    shop.close().await;
}
