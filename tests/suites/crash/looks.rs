//! Who looks at the shop while others buy: at everything there is to see, and at one
//! order after the other as it goes.

use std::sync::Arc;
use std::time::Duration;

use cleave_tests::follow::{Item, Opened, Stream, path};
use reqwest::{Method, StatusCode};

use super::load::Shared;

/// What a customer looks at.
pub(super) const CUSTOMERS: [&str; 6] = [
    "/api/v1/orders?limit=5",
    "/api/v1/payments?limit=5",
    "/api/v1/shipments?limit=5",
    "/api/v1/notifications?limit=5",
    "/api/v1/inventory/products?limit=5",
    "/api/v1/users/me",
];

/// What is gathered from every process.
pub(super) const OPERATORS: [&str; 5] = [
    "/api/v1/ops/sagas?limit=5",
    "/api/v1/ops/dead-letters?limit=5",
    "/api/v1/ops/breakers",
    "/api/v1/ops/topology",
    "/health/ready",
];

/// Looks at one after the other; each shows what there is, or says that it can't.
pub(super) async fn look(load: Arc<Shared>, token: String, paths: &'static [&'static str]) {
    for path in paths.iter().cycle() {
        if !load.goes_on() {
            return;
        }
        if let Some(reply) = load.ask(Method::GET, path, &token, &[], None).await {
            let fine = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&reply.status);
            assert!(fine, "{path}: {reply:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Follows the latest order to its end, and again the latest; what was told of each.
pub(super) async fn follow(load: Arc<Shared>, token: String) -> Vec<(String, Vec<Item>)> {
    let mut followed = Vec::new();
    while load.goes_on() {
        if let Some(order) = load.latest() {
            let told = story(&load, &token, &order).await;
            followed.push((order, told));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    followed
}

/// All that is told of an order, over as many streams as it takes.
async fn story(load: &Shared, token: &str, order: &str) -> Vec<Item> {
    let path = path(order);
    let mut told: Vec<Item> = Vec::new();
    loop {
        let client = load.next();
        let last = told.last().map(|item| item.place.clone());
        let opening = Stream::open(&client, &path, token, last.as_deref());
        match load.in_time(&path, opening).await {
            Opened::Over => return told,
            Opened::Away => {}
            Opened::Live(mut stream) => {
                while let Some(more) = load.in_time(&path, stream.next()).await {
                    told.extend(more);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
