//! What holds for every operation, asked of one or of all of them.

mod asking;
mod keys;
mod reading;
mod tokens;

use std::time::Duration;

use cleave_tests::shop::order;
use cleave_tests::story::Story;
use cleave_vocabulary::{Clock as _, SystemClock};
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::Value;

use super::{shop, shop_with};

const ORDERS: &str = "/api/v1/orders";
const PRODUCTS: &str = "/api/v1/inventory/products";
const ME: &str = "/api/v1/users/me";

fn code(problem: &Value) -> Value {
    problem["code"].clone()
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
    // Whoever takes a second to tell it may ask once more: then it is told anew.
    let text = loop {
        let shop = shop_with(&[
            ("gateway.rate_limit.enabled", "true"),
            ("gateway.rate_limit.requests_per_second", "1"),
            ("gateway.rate_limit.burst", "2"),
        ])
        .await;
        let ann = shop.customer("ann").await;
        let mut story = Story::of(&shop).await.at_one_front();
        let begun = SystemClock.now();
        for _ in 0..3 {
            story.get(PRODUCTS).by(&ann).send().await;
        }
        // Whoever would ask for the books would be asked to wait as well.
        if SystemClock.now() < begun.plus(Duration::from_secs(1)) {
            break story.text().to_owned();
        }
    };
    assert_snapshot!(text);
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
