//! Products over HTTP.

use cleave_tests::snapshots::{masked, masked_together};
use cleave_vocabulary::ProductId;
use cleave_web::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::shop::Shop;

const PRODUCTS: &str = "/api/v1/inventory/products";

fn globe() -> Value {
    json!({
        "sku": "10002",
        "name": "Inflatable Globe",
        "description": "It is round.",
        "price": {"amount": 85, "currency": "GBP"},
        "on_hand": 19,
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut body = globe();
    body[member] = value;
    body
}

/// The path and the tag of a product that was just added.
async fn added(shop: &Shop, body: &Value) -> (String, String) {
    let told = shop
        .as_admin(shop.api.post(PRODUCTS))
        .json(body)
        .send()
        .await;
    let told = told.expect(201);
    (told.header("location").into(), told.header("etag").into())
}

/// The product that a path leads to.
fn id_in(path: &str) -> ProductId {
    let id = path.rsplit('/').next().expect("an id");
    id.parse().expect("an id")
}

#[tokio::test]
async fn a_product_that_was_added_can_be_read() {
    let shop = Shop::open().await;
    let told = shop
        .as_admin(shop.api.post(PRODUCTS))
        .json(&globe())
        .send()
        .await;
    let created = told.expect(201);
    assert_json_snapshot!(masked(&created.json));
    let location = created.header("location");
    assert_eq!(location, format!("{PRODUCTS}/{}", created.text("id")));
    assert_eq!(created.header("etag"), "\"1-19\"");
    let read = shop.api.get(location).send().await.expect(200);
    assert_eq!(read.json, created.json);
    assert_eq!(read.header("etag"), created.header("etag"));
}

#[tokio::test]
async fn adding_twice_with_one_key_adds_once() {
    let shop = Shop::open().await;
    let add = |body: Value| {
        let ask = shop.as_admin(shop.api.post(PRODUCTS));
        ask.key("k-1").json(&body).send()
    };
    let first = add(globe()).await.expect(201);
    let again = add(globe()).await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json, first.json);
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(again.header("location"), first.header("location"));
    let other = add(with("sku", "B".into())).await;
    assert_eq!(other.problem(422), "idempotency_key_reused");
    assert_eq!(shop.stock().await, [(19, 0)]);
}

#[tokio::test]
async fn a_sku_is_taken_once() {
    let shop = Shop::open().await;
    added(&shop, &globe()).await;
    let told = shop
        .as_admin(shop.api.post(PRODUCTS))
        .json(&globe())
        .send()
        .await;
    assert_json_snapshot!(masked(&told.expect(409).json));
    assert_eq!(shop.stock().await.len(), 1);
}

#[tokio::test]
async fn every_rule_that_a_new_product_breaks_is_named() {
    let shop = Shop::open().await;
    let body = json!({
        "sku": "has a space",
        "name": " ",
        "description": "x".repeat(4001),
        "price": {"amount": 0, "currency": "GBP"},
        "on_hand": -1,
    });
    let told = shop
        .as_admin(shop.api.post(PRODUCTS))
        .json(&body)
        .send()
        .await;
    assert_json_snapshot!(masked(&told.expect(422).json));
    for body in [
        with("price", json!({"amount": 1_000_000_001, "currency": "GBP"})),
        with("price", json!({"amount": 1, "currency": "XXX"})),
        with("price", json!({"amount": 1.5, "currency": "GBP"})),
        with("on_hand", json!(1_000_000_001)),
        with("colour", json!("red")),
    ] {
        let told = shop
            .as_admin(shop.api.post(PRODUCTS))
            .json(&body)
            .send()
            .await;
        assert_eq!(told.problem(422), "validation_failed", "{body}");
    }
    assert!(shop.stock().await.is_empty());
}

#[tokio::test]
async fn the_catalogue_is_changed_by_admins_alone() {
    let shop = Shop::open().await;
    let (product, tag) = added(&shop, &globe()).await;
    let asks = || {
        [
            shop.api.post(PRODUCTS).json(&json!({})),
            shop.api.patch(&product).if_match(&tag).json(&json!({})),
            shop.api
                .post(&format!("{product}/adjustments"))
                .json(&json!({})),
        ]
    };
    for ask in asks() {
        let told = ask.send().await;
        assert!(told.header("www-authenticate").starts_with("Bearer"));
        told.expect(401);
    }
    for ask in asks() {
        let told = ask.caller(shop.ids.next(), Role::Customer).send().await;
        assert_eq!(told.problem(403), "forbidden");
    }
}

#[tokio::test]
async fn the_tag_changes_with_all_that_is_shown() {
    let shop = Shop::open().await;
    let (product, tag) = added(&shop, &globe()).await;
    let id = id_in(&product);
    let unchanged = shop.api.get(&product).if_none_match(&tag).send().await;
    assert_eq!(unchanged.expect(304).json, Value::Null);
    shop.reserve(shop.order(), "k", &[(id, 4)])
        .await
        .expect("held");
    let changed = shop
        .api
        .get(&product)
        .if_none_match(&tag)
        .send()
        .await
        .expect(200);
    assert_eq!(changed.json["available"], 15);
    assert_eq!(changed.json["version"], 1, "stock is no version");
    assert_eq!(changed.header("etag"), "\"1-15\"");
}

#[tokio::test]
async fn a_change_needs_the_version_that_it_was_made_for_and_minds_no_stock() {
    let shop = Shop::open().await;
    let (product, tag) = added(&shop, &globe()).await;
    let id = id_in(&product);
    let patch = |body: Value| shop.as_admin(shop.api.patch(&product)).json(&body);
    let blind = patch(json!({"name": "Globe"})).send().await;
    assert_eq!(blind.problem(428), "precondition_required");
    shop.reserve(shop.order(), "k", &[(id, 4)])
        .await
        .expect("held");
    shop.clock.advance(std::time::Duration::from_secs(1));
    let body = json!({"name": "Globe", "price": {"amount": 99, "currency": "EUR"}});
    let changed = patch(body).if_match(&tag).send().await.expect(200);
    assert_eq!(changed.header("etag"), "\"2-15\"");
    let read = shop.api.get(&product).send().await.expect(200);
    assert_eq!(read.json, changed.json);
    let stale = patch(json!({"name": "Ball"})).if_match(&tag).send().await;
    let [changed, stale] = masked_together([&changed.json, &stale.expect(412).json]);
    assert_json_snapshot!(json!({"changed": changed, "stale": stale}));
    let any = patch(json!({"name": "Ball"})).if_match("*").send().await;
    assert_eq!(any.expect(200).json["version"], 3);
}

#[tokio::test]
async fn what_a_change_leaves_out_stays_and_null_takes_a_description_away() {
    let shop = Shop::open().await;
    let (product, tag) = added(&shop, &globe()).await;
    let patch = |body: Value| {
        let ask = shop.as_admin(shop.api.patch(&product));
        ask.if_match(&tag).json(&body).send()
    };
    let same = patch(json!({})).await.expect(200);
    assert_eq!(
        (&same.json["version"], same.header("etag")),
        (&json!(1), &*tag)
    );
    for body in [
        json!({"name": null}),
        json!({"price": null}),
        json!({"name": ""}),
        json!({"sku": "B"}),
        json!({"on_hand": 5}),
    ] {
        let told = patch(body.clone()).await;
        assert_eq!(told.problem(422), "validation_failed", "{body}");
    }
    let bare = patch(json!({"description": null})).await.expect(200);
    assert_eq!(bare.json["description"], Value::Null);
    assert_eq!(bare.json["name"], "Inflatable Globe");
    assert_eq!(bare.json["version"], 2);
}

#[tokio::test]
async fn what_is_no_product_is_not_found() {
    let shop = Shop::open().await;
    let unknown: cleave_vocabulary::ProductId = shop.ids.next();
    for id in [
        unknown.to_string(),
        "7".into(),
        unknown.to_string().replace("prd", "ord"),
    ] {
        let path = format!("{PRODUCTS}/{id}");
        assert_eq!(shop.api.get(&path).send().await.problem(404), "not_found");
        let stock = shop.api.get(&format!("{path}/stock")).send().await;
        assert_eq!(stock.problem(404), "not_found");
        let edit = shop.as_admin(shop.api.patch(&path)).if_match("\"1\"");
        let told = edit.json(&json!({"name": "x"})).send().await;
        assert_eq!(told.problem(404), "not_found");
        let adjust = shop.as_admin(shop.api.post(&format!("{path}/adjustments")));
        let told = adjust
            .json(&json!({"delta": 1, "reason": "x"}))
            .send()
            .await;
        assert_eq!(told.problem(404), "not_found");
    }
}
