//! `/api/v1/inventory`.

use cleave_tests::shop::order;
use cleave_tests::story::Story;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{errors, path_of, shop};

const PRODUCTS: &str = "/api/v1/inventory/products";
const CHECK: &str = "/api/v1/inventory/check";
/// A well-formed id of no product.
const NONE: &str = "prd_00000000000000000000000000";

fn globe() -> Value {
    json!({
        "sku": "10002",
        "name": "Inflatable Globe",
        "description": "It is round.",
        "price": {"amount": 85, "currency": "GBP"},
        "on_hand": 19,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_adds_a_product() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let made = story.post(PRODUCTS).by(&admin).json(&globe()).send().await;
    let one = made.header("location").to_owned();
    assert_eq!(one, format!("{PRODUCTS}/{}", made.id()));
    story.get(&one).send().await;
    story.note("Its sku is taken.");
    story.post(PRODUCTS).by(&admin).json(&globe()).send().await;
    story.note("Only an admin may, whatever the body is.");
    story.post(PRODUCTS).by(&ann).text("{").send().await;
    story.post(PRODUCTS).json(&globe()).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rule_that_a_new_product_breaks_is_named() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let admin = shop.operator();
    for body in [
        json!({}),
        json!({
            "sku": "has a space",
            "name": " ",
            "description": "x".repeat(4001),
            "price": {"amount": 0, "currency": "GBP"},
            "on_hand": -1,
        }),
        json!({
            "sku": "x".repeat(65),
            "name": "a\nb",
            "description": 7,
            "price": {"amount": 1.5, "currency": "gbp", "unit": "p"},
            "on_hand": 1_000_000_001,
            "colour": "red",
        }),
    ] {
        story.post(PRODUCTS).by(&admin).json(&body).send().await;
    }
    story.note("Money that does not fit.");
    for amount in ["1000000001", "9223372036854775807", "9223372036854775808"] {
        let body = globe().to_string().replace("85", amount);
        story
            .post(PRODUCTS)
            .by(&admin)
            .text(body)
            .showing(errors)
            .send()
            .await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_changes_a_product() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let made = story.post(PRODUCTS).by(&admin).json(&globe()).send().await;
    let one = made.header("location").to_owned();
    let change =
        json!({"name": "Globe", "description": null, "price": {"amount": 95, "currency": "GBP"}});
    story
        .patch(&one)
        .by(&admin)
        .header("if-match", made.header("etag"))
        .json(&change)
        .send()
        .await;
    story.note("With the tag of before, and without one.");
    story
        .patch(&one)
        .by(&admin)
        .header("if-match", made.header("etag"))
        .json(&change)
        .send()
        .await;
    story.patch(&one).by(&admin).json(&change).send().await;
    story.note("What can't be changed, and what can't be so.");
    let bad = json!({"sku": "B", "name": null, "price": {"amount": -1, "currency": "GBP"}});
    story
        .patch(&one)
        .by(&admin)
        .header("if-match", "\"2\"")
        .json(&bad)
        .send()
        .await;
    story.note("What is not there; and whoever is no admin.");
    for (path, who) in [
        (format!("{PRODUCTS}/{NONE}"), &admin),
        (format!("{PRODUCTS}/7"), &admin),
        (one.clone(), &ann),
    ] {
        story
            .patch(path)
            .by(who)
            .header("if-match", "\"2\"")
            .json(&change)
            .send()
            .await;
    }
    story.patch(&one).json(&change).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anyone_looks_through_the_catalogue() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    for sku in ["LAMP", "LANTERN", "CANDLE"] {
        shop.product(sku, 5).await;
    }
    let page = story.get(format!("{PRODUCTS}?limit=2")).send().await;
    let cursor = page.body["next_cursor"].as_str().expect("there is more");
    story
        .get(format!("{PRODUCTS}?limit=2&cursor={cursor}"))
        .send()
        .await;
    story.note("By a part of name or sku, whatever the case.");
    story.get(format!("{PRODUCTS}?search=lan")).send().await;
    story.get(format!("{PRODUCTS}?search=%25")).send().await;
    let long = format!("{PRODUCTS}?search={}", "x".repeat(201));
    story.get(long).showing(errors).send().await;
    story.note("What is not there, and what is no id.");
    for id in [NONE, "7"] {
        story.get(format!("{PRODUCTS}/{id}")).send().await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_is_counted_and_corrected() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let product = shop.product("LAMP", 10).await;
    let stock = format!("{PRODUCTS}/{product}/stock");
    let adjust = format!("{PRODUCTS}/{product}/adjustments");
    let by = |delta: i64| json!({"delta": delta, "reason": "stocktaking"});
    story.get(&stock).send().await;
    story.post(&adjust).by(&admin).json(&by(-3)).send().await;
    story.note("Four are held for an order whose payment waits.");
    let held = order(&[(&product, 4)], "pm_sim_unavailable");
    let held = shop
        .client()
        .post("/api/v1/orders", &ann.token, &held)
        .await;
    let held = path_of(&held.body);
    let confirmed = |order: &Value| order["status"] == "confirmed";
    shop.client().until(&held, &ann.token, confirmed).await;
    story.get(&stock).send().await;
    story.note("What is held must stay.");
    story.post(&adjust).by(&admin).json(&by(-4)).send().await;
    story.post(&adjust).by(&admin).json(&by(-3)).send().await;
    story.note("What no correction can be.");
    for body in [
        json!({}),
        json!({"delta": 0, "reason": " "}),
        json!({"delta": "1", "reason": "x".repeat(501)}),
        json!({"delta": 1_000_000_001, "reason": "stocktaking"}),
        by(1_000_000_000),
    ] {
        story
            .post(&adjust)
            .by(&admin)
            .json(&body)
            .showing(errors)
            .send()
            .await;
    }
    story.note("Of what is not there; and by whoever is no admin.");
    for path in ["stock", "adjustments"] {
        for id in [NONE, "7"] {
            let path = format!("{PRODUCTS}/{id}/{path}");
            if path.ends_with("stock") {
                story.get(path).send().await;
            } else {
                story.post(path).by(&admin).json(&by(1)).send().await;
            }
        }
    }
    story.post(&adjust).by(&ann).json(&by(1)).send().await;
    story.post(&adjust).json(&by(1)).send().await;
    assert_snapshot!(story.text());
    let cancel = format!("{held}/cancel");
    shop.client().post(&cancel, &ann.token, &json!({})).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anyone_signed_in_asks_whether_stock_would_suffice() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let lamp = shop.product("LAMP", 10).await;
    let lantern = shop.product("LANTERN", 1).await;
    let line = |id: &str, quantity: i64| json!({"product_id": id, "quantity": quantity});
    story.note("The same product on two lines is one of the sum.");
    let body = json!({"items": [line(&lamp, 6), line(&lantern, 1), line(&lamp, 4)]});
    story.post(CHECK).by(&ann).json(&body).send().await;
    let body = json!({"items": [line(&lamp, 6), line(&lantern, 2), line(&lamp, 5)]});
    story.post(CHECK).by(&ann).json(&body).send().await;
    story.note("What no order can be.");
    for body in [
        json!({"items": []}),
        json!({"items": [line(NONE, 1), line(&lamp, 1)]}),
        json!({"items": [line(&lamp, 0), line(&lamp, 10_001), line("7", -1)]}),
        json!({"items": vec![line(&lamp, 1); 101]}),
        json!({"items": [line(&lamp, 10_000), line(&lamp, 1)]}),
    ] {
        story.post(CHECK).by(&ann).json(&body).send().await;
    }
    story.post(CHECK).json(&body).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}
