//! Two real programs with every context each, over one Postgres and one broker.

use cleave::topology::CONTEXTS;
use cleave_tests::deployment::{Deployment, anonymous};
use cleave_tests::follow::{self, Item, Stream};
use cleave_tests::shop::{Client, http, order};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_does_is_waited_for_and_followed_at_the_other() {
    let settings = [("SHIPPING__SIMULATED__PICKUP_AFTER", "never")];
    let all = CONTEXTS.join(",");
    let deployment = Deployment::start_on_postgres(&[&all, &all], &settings).await;
    let (one, other) = (deployment.client(0), deployment.client(1));
    let admin = deployment.admin().await;
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
    let url = format!("{}/api/v1/orders/{id}/events", one.url());
    let stream = http().get(url).bearer_auth(&ann).send();
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

/// Reads until an item of this name has come, or the stream breaks off.
async fn read(stream: &mut Stream, items: &mut Vec<Item>, name: &str) -> bool {
    while let Some(more) = stream.next().await {
        items.extend(more);
        if items.iter().any(|item| item.told["name"] == name) {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_process_was_killed_goes_on_at_the_other_where_it_was() {
    let settings = [("SHIPPING__SIMULATED__PICKUP_AFTER", "never")];
    let all = CONTEXTS.join(",");
    let mut deployment = Deployment::start_on_postgres(&[&all, &all], &settings).await;
    let (one, other) = (deployment.client(0), deployment.client(1));
    let admin = deployment.admin().await;
    let product = one.product(&admin, "P1", 100).await;
    let ann = one.customer("ann").await;
    let body = order(&[(&product, 1)], "pm_card_visa");
    let placed = one.post("/api/v1/orders", &ann, &body).await;
    let id = placed.body["id"].as_str().expect("an id");
    let path = follow::path(id);

    let mut told = Vec::new();
    let mut stream = Stream::open(&one, &path, &ann, None).await.live();
    assert!(read(&mut stream, &mut told, "shipment.scheduled").await);
    deployment.kill(0);
    assert!(!read(&mut stream, &mut told, "order.delivered").await);

    let place = told.last().map(|item| item.place.as_str());
    let mut stream = Stream::open(&other, &path, &ann, place).await.live();
    let shipments = format!("/api/v1/shipments?order_id={id}");
    let shipments = other.get(&shipments, &ann).await.body;
    let shipment = shipments["items"][0]["id"].as_str().expect("a shipment");
    for moved in ["dispatch", "deliver"] {
        let path = format!("/api/v1/shipments/{shipment}/{moved}");
        let reply = other.send(Method::POST, &path, Some(&admin), &[], None);
        assert_eq!(reply.await.status, 200, "{moved}");
    }
    assert!(read(&mut stream, &mut told, "order.delivered").await);
    follow::demand_whole(&other, id, &ann, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_replica_is_told_of_by_itself() {
    let front = "user,inventory,payment,shipping,notification";
    let mut deployment = Deployment::start_on_postgres(&[front, "order", "order"], &[]).await;
    let (client, admin) = (deployment.front(), deployment.admin().await);
    let topology = client.get("/api/v1/ops/topology", &admin).await.body;
    let items = topology["items"].as_array().expect("items");
    assert_eq!(items.len(), 7, "{topology:#}");
    for replica in [1, 2] {
        let row = json!({
            "context": "order", "process": deployment.internal(replica), "transport": "http",
            "health": "ready", "version": items[0]["version"],
        });
        assert_eq!(items[4 + replica], row);
    }
    let ready = anonymous(&client, "/health/ready").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    assert!(ready.body.get("unanswered").is_none(), "{ready:?}");

    deployment.kill(2);
    let topology = client.get("/api/v1/ops/topology", &admin).await.body;
    assert_eq!(topology["unanswered"], json!(["order"]));
    assert_eq!(topology["items"][5]["health"], "ready");
    assert_eq!(topology["items"][6]["health"], "failing");
    assert_eq!(topology["items"][6]["version"], Value::Null);
    // The other goes on, so the shop takes work.
    let ready = anonymous(&client, "/health/ready").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    assert_eq!(ready.body["unanswered"], json!(["order, replica 2"]));
    deployment.kill(1);
    let ready = anonymous(&client, "/health/ready").await;
    assert_eq!(ready.status, 503, "{ready:?}");
    let both = json!(["order, replica 1", "order, replica 2"]);
    assert_eq!(ready.body["unanswered"], both);
}

/// A replica does not know which of the addresses is its own, and finds out.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_tells_of_itself_and_of_the_others() {
    let all = CONTEXTS.join(",");
    let mut deployment = Deployment::start_on_postgres(&[&all, &all], &[]).await;
    let admin = deployment.admin().await;
    for (own, other) in [(0, 1), (1, 0)] {
        let client = deployment.client(own);
        let topology = client.get("/api/v1/ops/topology", &admin).await.body;
        let items = topology["items"].as_array().expect("items");
        assert_eq!(items.len(), 2 * CONTEXTS.len(), "{topology:#}");
        for (rows, context) in items.chunks(2).zip(CONTEXTS) {
            assert_eq!(rows[0]["context"], context);
            assert_eq!(rows[0]["transport"], "local");
            let row = json!({
                "context": context, "process": deployment.internal(other),
                "transport": "http", "health": "ready", "version": rows[0]["version"],
            });
            assert_eq!(rows[1], row);
        }
    }
    deployment.kill(1);
    let client = deployment.client(0);
    let topology = client.get("/api/v1/ops/topology", &admin).await.body;
    assert_eq!(topology["items"][0]["health"], "ready");
    assert_eq!(topology["items"][1]["health"], "failing");
    assert_eq!(topology["unanswered"], json!(CONTEXTS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_is_moved_in_every_replica_and_who_missed_it_is_named() {
    let front = "user,inventory,payment,shipping,notification";
    let mut deployment = Deployment::start_on_postgres(&[front, "order", "order"], &[]).await;
    let (client, admin) = (deployment.front(), deployment.admin().await);
    let breaker = "/api/v1/ops/breakers/order.payment";
    let moved = async |state: &str, key: &str| {
        let (body, key) = (json!({ "state": state }), [("idempotency-key", key)]);
        let asked = client.send(Method::POST, breaker, Some(&admin), &key, Some(&body));
        let reply = asked.await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply
    };
    let (one, other) = (deployment.client(1), deployment.client(2));
    let reply = moved("forced_open", "first").await;
    assert_eq!(reply.body["state"], "forced_open");
    assert!(reply.body.get("unanswered").is_none(), "{reply:?}");
    assert_eq!(own_breaker(&one).await, HELD_OPEN);
    assert_eq!(own_breaker(&other).await, HELD_OPEN);
    let wrong = json!({ "state": "ajar" });
    let refused = client.post(breaker, &admin, &wrong).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let unknown = json!({ "state": "closed" });
    let unknown = client.post("/api/v1/ops/breakers/order.luck", &admin, &unknown);
    assert_eq!(unknown.await.status, 404);

    deployment.kill(1);
    let reply = moved("closed", "second").await;
    assert_eq!(reply.body["state"], "closed");
    assert_eq!(reply.body["unanswered"], json!(["order, replica 1"]));
    assert_eq!(own_breaker(&other).await, CLOSED);
    // The same key again tells those that have come back meanwhile.
    moved("forced_open", "third").await;
    deployment.restart(1).await;
    let one = deployment.client(1);
    let known = |page: &Value| page["items"].is_array();
    one.until("/api/v1/ops/breakers", &admin, known).await;
    assert_eq!(own_breaker(&one).await, CLOSED);
    let reply = moved("forced_open", "third").await;
    assert!(reply.headers.contains_key("idempotency-replayed"));
    assert_eq!(own_breaker(&one).await, HELD_OPEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_moves_a_breaker_in_the_others_and_shows_the_gravest_of_all() {
    let all = CONTEXTS.join(",");
    let mut deployment = Deployment::start_on_postgres(&[&all, &all], &[]).await;
    let (one, admin) = (deployment.client(0), deployment.admin().await);
    let breaker = "/api/v1/ops/breakers/order.payment";
    let state = |state: &str| json!({ "state": state });
    let reply = one.post(breaker, &admin, &state("forced_open")).await;
    assert_eq!(reply.body["state"], "forced_open", "{reply:?}");
    assert!(reply.body.get("unanswered").is_none(), "{reply:?}");
    let other = deployment.client(1);
    assert_eq!(own_breaker(&one).await, HELD_OPEN);
    assert_eq!(own_breaker(&other).await, HELD_OPEN);

    deployment.kill(1);
    let shown = shown_before_payments(&one, &admin).await;
    assert_eq!(shown["unanswered"][0], "user, replica 2", "{shown:#}");
    let reply = one.post(breaker, &admin, &state("forced_open")).await;
    assert_eq!(reply.body["unanswered"], json!(["order, replica 2"]));

    // The one that comes back lets calls through, and both say that the first does not.
    deployment.restart(1).await;
    let other = deployment.client(1);
    assert_eq!(own_breaker(&other).await, CLOSED);
    for replica in [&one, &other] {
        let shown = shown_before_payments(replica, &admin).await;
        assert_eq!(shown["state"], "forced_open");
        assert_eq!(shown["unanswered"], Value::Null, "{shown:#}");
    }
    // The same key moves them again wherever it is shown: also in the one that repeats.
    let moved = async |replica: &Client, key: &str| {
        let (body, key) = (state("closed"), [("idempotency-key", key)]);
        let asked = replica.send(Method::POST, breaker, Some(&admin), &key, Some(&body));
        assert_eq!(asked.await.status, 200);
    };
    moved(&other, "shut").await;
    assert_eq!(own_breaker(&one).await, CLOSED);
    one.post(breaker, &admin, &state("forced_open")).await;
    moved(&one, "shut").await;
    assert_eq!(own_breaker(&one).await, CLOSED);
    assert_eq!(own_breaker(&other).await, CLOSED);
}

/// What the list shows of the breaker before payments, and who is missing from it. Each
/// breaker is in it once.
async fn shown_before_payments(client: &Client, admin: &str) -> Value {
    let known = |page: &Value| page["items"].is_array();
    let list = client.until("/api/v1/ops/breakers", admin, known).await;
    let items = list["items"].as_array().expect("items");
    let mut found = items.iter().filter(|item| item["name"] == "order.payment");
    let mut shown = found.next().expect("its breaker").clone();
    assert!(found.next().is_none(), "{list:#}");
    shown["unanswered"] = list["unanswered"].clone();
    shown
}

/// Where the breaker before payments stands in one process, as its metrics tell.
async fn own_breaker(process: &Client) -> String {
    let url = format!("{}/metrics", process.url());
    let metrics = http().get(url).send().await.expect("answered");
    let metrics = metrics.text().await.expect("text");
    let gauge = r#"cleave_port_breaker_state{name="order.payment"} "#;
    let mut lines = metrics.lines();
    let level = lines.find_map(|line| line.strip_prefix(gauge));
    level.expect("its gauge").to_owned()
}

const CLOSED: &str = "0";
const HELD_OPEN: &str = "3";
