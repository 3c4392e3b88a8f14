//! Bodies, addresses and methods.

use cleave_tests::shop::order;
use cleave_tests::story::Story;
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::json;

use super::super::{errors, shop};
use super::{ORDERS, code};

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
