//! What must be true once the load has ended, whatever died under it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cleave_tests::shop::Client;
use serde_json::Value;

use super::load::Orders;

/// After which what was placed must have come to its end.
const END: Duration = Duration::from_secs(120);

async fn all(client: &Client, token: &str, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client
            .get(&format!("{path}?limit=100{cursor}"), token)
            .await
            .body;
        items.extend(page["items"].as_array().expect("a page").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// Each key is exactly one order, every order is at its end, the books balance, and
/// nobody was told anything twice.
pub(super) async fn demand_sound(client: &Client, admin: &str, ann: &str, orders: &Orders) {
    client.demand_balanced_books(admin).await;
    for (key, ids) in orders {
        assert_eq!(ids.len(), 1, "{key} became {ids:?}");
    }
    let unfinished =
        |order: &Value| !matches!(order["status"].as_str(), Some("delivered" | "cancelled"));
    let mut listed = all(client, ann, "/api/v1/orders").await;
    let begun = Instant::now();
    while listed.len() != orders.len() || listed.iter().any(unfinished) {
        let open: Vec<&Value> = listed.iter().filter(|order| unfinished(order)).collect();
        assert!(begun.elapsed() < END, "these never ended: {open:#?}");
        assert!(
            listed.len() <= orders.len(),
            "{} orders, and {} keys",
            listed.len(),
            orders.len()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
        listed = all(client, ann, "/api/v1/orders").await;
    }
    // Every order's owner hears of each thing once, and of everything.
    let expected: usize = listed
        .iter()
        .map(|order| if order["status"] == "delivered" { 5 } else { 3 })
        .sum();
    let told = loop {
        let told = all(client, ann, "/api/v1/notifications").await;
        let about_orders = told.iter().filter(|n| n["order_id"].is_string()).count();
        let waiting = told
            .iter()
            .any(|notification| notification["status"] == "queued");
        if about_orders >= expected && !waiting {
            break told;
        }
        let waited = begun.elapsed() < END * 2;
        assert!(waited, "{about_orders} of {expected} were told of");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let mut seen = BTreeSet::new();
    for notification in told.iter().filter(|n| n["order_id"].is_string()) {
        let what = (
            notification["order_id"].to_string(),
            notification["kind"].to_string(),
        );
        assert!(seen.insert(what), "told twice: {notification}");
    }
    assert_eq!(seen.len(), expected);
    client.demand_balanced_books(admin).await;
}
