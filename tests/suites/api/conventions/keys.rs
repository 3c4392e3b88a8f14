//! What a request under an `Idempotency-Key` is.

use cleave_tests::shop::order;
use cleave_tests::story::{Somebody, Story};
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::{errors, saga_of, settled, shop, until_it_waits};
use super::{ORDERS, PRODUCTS, code};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_a_key_is_done_once() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    let product = shop.product("LAMP", 20).await;
    let body = order(&[(&product, 2)], "pm_card_chargeDeclined");
    let place = async |story: &mut Story, who: &Somebody, key: &str, body: &Value| {
        let ask = story.post(ORDERS).by(who).key(key).json(body);
        ask.showing(|order| json!({"id": order["id"], "code": order["code"]}))
            .send()
            .await
    };
    let first = place(&mut story, &ann, "k-1", &body).await;
    let again = place(&mut story, &ann, "k-1", &body).await;
    assert_eq!(again.text, first.text);
    assert_eq!(again.header("location"), first.header("location"));
    story.note("With another body the key is refused.");
    let other = order(&[(&product, 1)], "pm_card_chargeDeclined");
    place(&mut story, &ann, "k-1", &other).await;
    story.note("A refusal is an outcome, too.");
    let many = order(&[(&product, 21)], "pm_card_visa");
    let refused = place(&mut story, &ann, "k-2", &many).await;
    let again = place(&mut story, &ann, "k-2", &many).await;
    assert_eq!(again.text, refused.text);
    story.note("A key belongs to its caller, and to its route.");
    let path = first.header("location");
    let ended = |order: &Value| order["status"] == "cancelled";
    shop.client().until(path, &ann.token, ended).await;
    assert_ne!(place(&mut story, &ben, "k-1", &body).await.id(), first.id());
    let check = json!({"email": "cid@shop.example", "password": "a long password", "name": "Cid"});
    let ask = story.post("/api/v1/users").by(&ann).key("k-1").json(&check);
    assert_eq!(ask.send().await.header("idempotency-replayed"), "");
    story.note("A key has 1 to 255 characters.");
    place(&mut story, &ann, &"x".repeat(255), &body).await;
    for key in ["", &"x".repeat(256)] {
        let ask = story.post(ORDERS).by(&ann).key(key).json(&body);
        ask.showing(errors).send().await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_first_request_is_under_way_is_in_use() {
    let shop = shop().await;
    let ann = shop.customer("ann").await;
    let product = shop.product("LAMP", 1000).await;
    let body = order(&[(&product, 1)], "pm_card_visa");
    let client = shop.client();
    let mut in_use = None;
    let mut made = 0;
    while in_use.is_none() {
        assert!(made < 100, "no request ever met another under its key");
        let key = format!("k-{made}");
        let headers = [("idempotency-key", &*key)];
        let token = Some(&*ann.token);
        let many = (0..16).map(|_| client.send(Method::POST, ORDERS, token, &headers, Some(&body)));
        let replies = futures::future::join_all(many).await;
        made += 1;
        let fresh = |reply: &&cleave_tests::shop::Reply| {
            reply.status == 201 && !reply.headers.contains_key("idempotency-replayed")
        };
        assert_eq!(replies.iter().filter(fresh).count(), 1);
        in_use = replies.into_iter().find(|reply| reply.status != 201);
    }
    let mut refused = in_use.expect("found");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    refused.body["correlation_id"] = "…".into();
    insta::assert_json_snapshot!(refused.body);
    // A list may be a moment behind, of replicas above all.
    let all = |page: &Value| page["items"].as_array().map(Vec::len) >= Some(made);
    let path = format!("{ORDERS}?limit=100");
    let page = client.until(&path, &ann.token, all).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(made));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "a table with a line for each case")]
async fn every_post_that_changes_something_takes_a_key() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let product = shop.product("LAMP", 100).await;
    let paid = settled(&shop, &ann, &order(&[(&product, 4)], "pm_card_visa")).await;
    let client = shop.client();
    let away = order(&[(&product, 1)], "pm_sim_unavailable");
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let made = client.post(ORDERS, &ann.token, &away).await.body;
        let id = made["id"].as_str().expect("an id").to_owned();
        let saga = saga_of(&shop, &id).await;
        waiting.push((id, saga));
    }
    let welcomed = |page: &Value| page["items"][0]["id"].is_string();
    let inbox = client.until("/api/v1/notifications", &ann.token, welcomed);
    let message = inbox.await["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let credentials = json!({"email": "ann@customer.example", "password": "a customer's password"});
    let session = client
        .post("/api/v1/users/sessions", "", &credentials)
        .await;
    let (payment, shipment) = (
        paid["payment"]["id"].as_str().expect("an id"),
        paid["shipment"]["id"].as_str().expect("an id"),
    );
    let globe = json!({"sku": "GLOBE", "name": "Globe", "price": {"amount": 1, "currency": "GBP"}, "on_hand": 1});
    let bea = json!({"email": "bea@shop.example", "password": "a long password", "name": "Bea"});
    let refresh = json!({"refresh_token": session.body["refresh_token"]});
    let amount = json!({"amount": {"amount": 1, "currency": "GBP"}, "reason": "damaged"});
    for (path, who, body) in [
        ("/api/v1/users".to_owned(), None, bea),
        ("/api/v1/users/sessions".to_owned(), None, credentials),
        ("/api/v1/users/sessions/refresh".to_owned(), None, refresh),
        (PRODUCTS.to_owned(), Some(&admin), globe),
        (
            format!("{PRODUCTS}/{product}/adjustments"),
            Some(&admin),
            json!({"delta": 1, "reason": "found"}),
        ),
        (
            ORDERS.to_owned(),
            Some(&ann),
            order(&[(&product, 1)], "pm_card_visa"),
        ),
        (
            format!("{ORDERS}/{}/cancel", waiting[0].0),
            Some(&ann),
            json!({}),
        ),
        (
            format!("/api/v1/payments/{payment}/refunds"),
            Some(&admin),
            amount,
        ),
        (
            format!("/api/v1/shipments/{shipment}/dispatch"),
            Some(&admin),
            Value::Null,
        ),
        (
            format!("/api/v1/shipments/{shipment}/deliver"),
            Some(&admin),
            Value::Null,
        ),
        (
            format!("/api/v1/notifications/{message}/read"),
            Some(&ann),
            Value::Null,
        ),
        (format!("{}/retry", waiting[1].1), Some(&admin), Value::Null),
        (
            format!("{}/compensate", waiting[1].1),
            Some(&admin),
            Value::Null,
        ),
        (
            "/api/v1/ops/breakers/order.inventory".to_owned(),
            Some(&admin),
            json!({"state": "auto"}),
        ),
    ] {
        let ask = async |story: &mut Story, other: bool| {
            let mut ask = story.post(&path).key("k-1").showing(code);
            if let Some(who) = who {
                ask = ask.by(who);
            }
            let ask = match (&body, other) {
                (Value::Null, false) => ask,
                (body, false) => ask.json(body),
                // The same in meaning, and another body all the same.
                (Value::Null, true) => ask.text(" "),
                (body, true) => ask.text(format!("{body} ")),
            };
            ask.send().await
        };
        if path.starts_with("/api/v1/ops/sagas") {
            until_it_waits(client, &waiting[1].1, &admin.token).await;
        }
        let first = ask(&mut story, false).await;
        assert!(first.status < 300, "{path}: {}", first.text);
        let again = ask(&mut story, false).await;
        assert_eq!(again.header("idempotency-replayed"), "true", "{path}");
        assert_eq!(again.status, first.status, "{path}");
        assert_eq!(ask(&mut story, true).await.status, 422, "{path}");
    }
    assert_snapshot!(story.text());
    shop.close().await;
}
