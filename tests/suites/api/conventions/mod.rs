//! What holds for every operation, asked of one or of all of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cleave_tests::shop::order;
use cleave_tests::story::{Somebody, Story};
use insta::assert_snapshot;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use super::{errors, saga_of, settled, shop, shop_with, until_it_waits};

const ORDERS: &str = "/api/v1/orders";
const PRODUCTS: &str = "/api/v1/inventory/products";
const ME: &str = "/api/v1/users/me";

/// The key pair that RFC 8410 (10.3) shows; nobody's secret.
const FOREIGN: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";

fn code(problem: &Value) -> Value {
    problem["code"].clone()
}

fn ids(page: &Value) -> Value {
    let items = page["items"].as_array().into_iter().flatten();
    let ids: Value = items.map(|item| item["id"].clone()).collect();
    json!({"ids": ids, "next_cursor": page["next_cursor"]})
}

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
    let page = client.get(&format!("{ORDERS}?limit=100"), &ann.token).await;
    assert_eq!(page.body["items"].as_array().map(Vec::len), Some(made));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_bounded_and_stay_while_rows_are_added() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let admin = shop.operator();
    for number in 0..21 {
        shop.product(&format!("P-{number}"), 1).await;
    }
    let count = |page: &Value| {
        let items = page["items"].as_array().map(Vec::len);
        json!({"items": items, "next_cursor": page["next_cursor"]})
    };
    for query in ["", "?limit=1", "?limit=100", "?limit=21"] {
        let path = format!("{PRODUCTS}{query}");
        story.get(path).showing(count).send().await;
    }
    for limit in ["0", "101", "-1", "1.5", "x", ""] {
        let path = format!("{PRODUCTS}?limit={limit}");
        story.get(path).showing(errors).send().await;
    }
    story.note("A page goes on where the one before ended, whatever was added since.");
    let skus = |page: &Value| {
        let items = page["items"].as_array().into_iter().flatten();
        items.map(|item| item["sku"].clone()).collect()
    };
    let path = format!("{PRODUCTS}?limit=2");
    let page = story.get(path).showing(skus).send().await;
    shop.product("LATE", 1).await;
    let cursor = page.body["next_cursor"].as_str().expect("there is more");
    let path = format!("{PRODUCTS}?limit=2&cursor={cursor}");
    story.get(path).showing(skus).send().await;
    story.note("What is no cursor, wherever there are pages.");
    for path in [
        "/api/v1/users",
        PRODUCTS,
        ORDERS,
        "/api/v1/payments",
        "/api/v1/shipments",
        "/api/v1/notifications",
        "/api/v1/ops/sagas",
        "/api/v1/ops/dead-letters",
    ] {
        for query in ["cursor=x", "limit=0"] {
            let path = format!("{path}?{query}");
            let ask = story.get(path).by(&admin).showing(errors);
            assert_eq!(ask.send().await.status, 422);
        }
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entity_tags_are_compared_as_the_rfc_says() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let product = shop.product("LAMP", 5).await;
    let one = format!("{PRODUCTS}/{product}");
    story.note("Weakly, where something is read.");
    for tag in [
        "\"1-5\"",
        "W/\"1-5\"",
        "\"7\", \"1-5\"",
        "*",
        "\"1\"",
        "1-5",
    ] {
        let ask = story.get(&one).header("if-none-match", tag);
        ask.showing(|product| product["sku"].clone()).send().await;
    }
    story.note("Strongly, where something is changed.");
    let name = json!({"name": "Ann"});
    for tag in ["W/\"1\"", "1", "\"0\"", "\"0\", \"1\"", "*"] {
        let ask = story.patch(ME).by(&ann).header("if-match", tag);
        let ask = ask.json(&name);
        ask.showing(|body| json!({"code": body["code"], "version": body["version"]}))
            .send()
            .await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_one_json_object_of_a_bounded_size() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let product = shop.product("LAMP", 5).await;
    let good = order(&[(&product, 1)], "pm_card_visa").to_string();
    story.note("What is not JSON.");
    for body in ["", "{", "{'items': []}", "nope", "{\"items\": []} {}"] {
        story.post(ORDERS).by(&ann).text(body).send().await;
    }
    story.note("What is JSON, and no object, or says something twice.");
    for body in ["[]", "null", "\"order\"", "{\"items\": [], \"items\": []}"] {
        story
            .post(ORDERS)
            .by(&ann)
            .text(body)
            .showing(errors)
            .send()
            .await;
    }
    story.note("What says that it is something else, or does not say.");
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
    ] {
        story
            .post(ORDERS)
            .by(&ann)
            .typed(kind, good.clone())
            .showing(code)
            .send()
            .await;
    }
    story
        .post(ORDERS)
        .by(&ann)
        .untyped(good.clone())
        .send()
        .await;
    story.post(ORDERS).by(&ann).showing(code).send().await;
    story.note("What is JSON by another name.");
    for kind in [
        "application/json; charset=utf-8",
        "application/vnd.order+json",
    ] {
        story
            .post(ORDERS)
            .by(&ann)
            .typed(kind, good.clone())
            .showing(|order| order["status"].clone())
            .send()
            .await;
    }
    story.note("256 KiB and one byte more, asked for or not.");
    for size in [256 * 1024, 256 * 1024 + 1] {
        let body = format!("{good}{}", " ".repeat(size - good.len()));
        story
            .post(ORDERS)
            .by(&ann)
            .text(body)
            .showing(|answer| json!({"code": answer["code"], "status": answer["status"]}))
            .send()
            .await;
    }
    let path = "/api/v1/notifications/ntf_00000000000000000000000000/read";
    let body = " ".repeat(256 * 1024 + 1);
    story
        .post(path)
        .by(&ann)
        .text(body)
        .showing(code)
        .send()
        .await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_address_says_what_is_unknown() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    for path in [
        "/api/v1/stores",
        "/api/v1/stores/7/shelves",
        "/api/v1/orders/",
        "/api/v1/orders/7/8/9",
        "/api/v1/",
        "/api/v1",
        "/api/v2/orders",
        "/",
    ] {
        story.get(path).send().await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_names_the_methods_that_it_knows() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let document = story.document()["paths"].clone();
    for (path, item) in document.as_object().expect("paths") {
        let path = path.replace("{id}", "7").replace("{name}", "7");
        let told = story.ask(Method::PUT, path).showing(code).send().await;
        assert_eq!(told.status, 405);
        let mut allowed: Vec<String> = told
            .header("allow")
            .split(',')
            .map(str::to_lowercase)
            .collect();
        allowed.retain(|method| method != "head");
        allowed.sort();
        let known = item.as_object().expect("operations").keys();
        let known: Vec<_> = known.filter(|key| *key != "parameters").cloned().collect();
        assert_eq!(allowed, known);
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_needs_a_token_says_so() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let document = story.document()["paths"].clone();
    for (path, item) in document.as_object().expect("paths") {
        let path = path.replace("{id}", "7").replace("{name}", "7");
        for (method, operation) in item.as_object().expect("operations") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let told = story.ask(method, &path).showing(code).send().await;
            assert_eq!(
                told.status == 401,
                !operation["security"].is_null(),
                "{path}"
            );
        }
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

/// A token that says so and is signed so.
fn token(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).expect("signed")
}

fn decoded(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn encoded(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_ours_is_refused() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let parts: Vec<&str> = ann.token.split('.').collect();
    let (header, claims) = (decoded(parts[0]), decoded(parts[1]));
    let jwks = shop.client().get("/.well-known/jwks.json", "").await.body;
    let public = jwks["keys"][0]["x"].as_str().expect("a key").to_owned();
    let mut admin = claims.clone();
    admin["role"] = "admin".into();
    let mut none = header.clone();
    none["alg"] = "none".into();
    let foreign = EncodingKey::from_ed_pem(FOREIGN.as_bytes()).expect("a key");
    let ours = Header {
        kid: header["kid"].as_str().map(str::to_owned),
        ..Header::new(Algorithm::EdDSA)
    };
    let symmetric = Header {
        alg: Algorithm::HS256,
        ..ours.clone()
    };
    let other = Header {
        kid: Some("other".to_owned()),
        ..ours.clone()
    };
    let shared = EncodingKey::from_secret(public.as_bytes());
    for (what, token) in [
        ("signed by another key", token(&ours, &claims, &foreign)),
        (
            "by a key that nobody knows",
            token(&other, &claims, &foreign),
        ),
        (
            "with claims put in",
            format!("{}.{}.{}", parts[0], encoded(&admin), parts[2]),
        ),
        (
            "signed by nobody",
            format!("{}.{}.", encoded(&none), parts[1]),
        ),
        (
            "signed with what is public",
            token(&symmetric, &claims, &shared),
        ),
        ("cut short", ann.token[..ann.token.len() - 1].to_owned()),
        ("no token at all", "nonsense".to_owned()),
    ] {
        let told = story.get(ME).by(&Somebody::with(what, &token)).send().await;
        assert_eq!(told.status, 401, "{what}");
    }
    story.note("Another scheme, and a token where none is needed.");
    let ask = story.get(ME).header("authorization", "Basic YW5uOmFubg==");
    ask.send().await;
    let nonsense = Somebody::with("nonsense", "nonsense");
    let ask = story.get(PRODUCTS).by(&nonsense).showing(ids);
    ask.send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_bears_a_name_from_end_to_end() {
    let shop = shop().await;
    let ann = shop.customer("ann").await;
    let client = shop.client();
    let product = shop.product("LAMP", 5).await;
    let ask = async |headers: &[(&str, &str)]| {
        let token = Some(&*ann.token);
        client
            .send(Method::GET, ME, token, headers, None)
            .await
            .headers
    };
    let longest = "x".repeat(128);
    for name in ["a", "story-1", "~!/=", &longest] {
        let headers = ask(&[("x-correlation-id", name)]).await;
        assert_eq!(headers["x-correlation-id"], name);
    }
    let long = "x".repeat(129);
    for name in ["", "a b", &long] {
        let headers = ask(&[("x-correlation-id", name)]).await;
        let made = headers["x-correlation-id"]
            .to_str()
            .expect("text")
            .to_owned();
        assert_eq!(made.len(), 32, "{name:?} became {made:?}");
    }
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let kept = ask(&[("traceparent", trace)]).await;
    let kept = kept["traceparent"].to_str().expect("text");
    assert_eq!(kept.split('-').nth(1), trace.split('-').nth(1));
    for bad in [
        "nonsense",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    ] {
        let made = ask(&[("traceparent", bad)]).await;
        let made = made["traceparent"].to_str().expect("text");
        assert_eq!(made.len(), trace.len());
        assert_ne!(made.split('-').nth(1), bad.split('-').nth(1));
    }
    // A refusal that is replayed bears the name of the request that was refused.
    let body = order(&[(&product, 9)], "pm_card_visa");
    let place = async |name: &str| {
        let headers = [("x-correlation-id", name), ("idempotency-key", "k-1")];
        let token = Some(&*ann.token);
        client
            .send(Method::POST, ORDERS, token, &headers, Some(&body))
            .await
    };
    for name in ["first", "second"] {
        let refused = place(name).await;
        assert_eq!(refused.headers["x-correlation-id"], name);
        assert_eq!(refused.body["correlation_id"], "first");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_too_much_is_asked_to_wait() {
    let shop = shop_with(&[
        ("gateway.rate_limit.enabled", "true"),
        ("gateway.rate_limit.requests_per_second", "1"),
        ("gateway.rate_limit.burst", "2"),
    ])
    .await;
    let ann = shop.customer("ann").await;
    let mut story = Story::of(&shop).await;
    for _ in 0..3 {
        story.get(PRODUCTS).by(&ann).send().await;
    }
    assert_snapshot!(story.text());
    // Whoever would ask for the books would be asked to wait as well.
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_deprecated_says_so() {
    let shop = shop().await;
    let story = Story::of(&shop).await;
    let paths = story.document()["paths"].as_object().expect("paths");
    let operations = paths
        .values()
        .flat_map(|item| item.as_object().expect("operations").values());
    let deprecated = operations
        .filter(|operation| operation["deprecated"] == true)
        .count();
    assert_eq!(deprecated, 0, "its answers need `Deprecation` and `Sunset`");
    let page = shop.client().get(PRODUCTS, "").await;
    assert!(!page.headers.contains_key("deprecation"));
    shop.close().await;
}
