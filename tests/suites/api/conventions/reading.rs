//! Pages, and tags of what was read.

use cleave_tests::story::Story;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::super::{errors, shop};
use super::{ME, ORDERS, PRODUCTS};

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
