//! What is asked without a version: by platforms, by verifiers of tokens, by readers.

use cleave_tests::story::Story;
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};

use super::shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_asks_how_the_program_is() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    story.get("/health/live").send().await;
    story.get("/health/ready").send().await;
    let told = story
        .get("/metrics")
        .showing(|_| json!("‹metrics›"))
        .send()
        .await;
    assert!(told.text.contains("http_request_seconds"), "{}", told.text);
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_verifies_tokens_finds_the_keys() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let told = story
        .get("/.well-known/jwks.json")
        .showing(|set| {
            let keys = set["keys"].as_array().into_iter().flatten();
            let shown = |key: &Value| {
                let mut key = key.clone();
                for (member, length) in [("kid", 1..=64), ("x", 43..=43)] {
                    let text = key[member].as_str().unwrap_or_default();
                    assert!(length.contains(&text.len()), "{member}: {text}");
                    key[member] = format!("‹{member}›").into();
                }
                key
            };
            json!({"keys": keys.map(shown).collect::<Value>()})
        })
        .send()
        .await;
    assert!(told.body["keys"][0]["d"].is_null(), "no private key");
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_finds_the_document_and_a_page_that_needs_no_network() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    story
        .get("/api/openapi.json")
        .showing(|document| json!({"openapi": document["openapi"], "info": document["info"], "tags": document["tags"]}))
        .send()
        .await;
    for path in ["/docs", "/docs/"] {
        let ask = story.get(path).showing(|_| json!("‹page›"));
        let told = ask.send().await;
        for part in told.text.split(['"', '\'']) {
            let leaves = part.starts_with("http://")
                || part.starts_with("https://")
                || part.starts_with("//");
            assert!(!leaves, "{part}");
        }
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_name_the_methods_that_they_know() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    for path in [
        "/health/live",
        "/health/ready",
        "/metrics",
        "/.well-known/jwks.json",
        "/api/openapi.json",
    ] {
        let ask = story.ask(Method::POST, path);
        ask.showing(|problem| problem["code"].clone()).send().await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}
