//! Placing one recorded order, and following it until it is paid or cancelled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::orders::RecordedOrder;
use super::{Replay, Summary};
use crate::client::{Client, ClientError};

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// `paid`, `cancelled: payment_declined`, or its status after a long wait.
    pub end: String,
    /// An earlier run had placed it.
    pub before: bool,
    /// From the request to the end of its fulfilment.
    pub took: Duration,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Product>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Product {
    id: String,
    sku: String,
}

/// The catalogue: ids by stock-keeping unit.
pub(super) async fn catalogue(client: &Client) -> Result<HashMap<String, String>, ClientError> {
    let mut known = HashMap::new();
    let mut cursor = String::new();
    loop {
        let page: Page = client
            .get(&format!("/api/v1/inventory/products?limit=100{cursor}"))
            .await?;
        known.extend(
            page.items
                .into_iter()
                .map(|product| (product.sku, product.id)),
        );
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(known),
        }
    }
}

/// An order that can be placed: its number, and the body of the request.
pub(super) struct Ready {
    number: String,
    body: Value,
}

const LINES: usize = 100;

/// Turns what the file says into a request; lines of unknown products are refused.
pub(super) fn resolve(
    order: RecordedOrder,
    products: &HashMap<String, String>,
    summary: &mut Summary,
) -> Option<Ready> {
    let mut items = Vec::with_capacity(order.lines.len());
    for line in &order.lines {
        match products.get(&line.sku) {
            Some(id) if items.len() < LINES => {
                items.push(json!({ "product_id": id, "quantity": line.quantity }));
            }
            Some(_) => summary.refuse(
                line.line,
                format!("order {} has more than {LINES} lines", order.number),
            ),
            None => summary.refuse(
                line.line,
                format!("the catalogue has no product with the sku `{}`", line.sku),
            ),
        }
    }
    if items.is_empty() {
        return None;
    }
    let name = if order.customer.is_empty() {
        "Guest".to_owned()
    } else {
        format!("Customer {}", order.customer)
    };
    let body = json!({
        "items": items,
        "shipping_address": {
            "name": name,
            "line1": "1 High Street",
            "city": "Town",
            "postal_code": "AB1 2CD",
            "country": order.country,
        },
    });
    Some(Ready {
        number: order.number,
        body,
    })
}

/// Places it and follows it to the end of its fulfilment.
pub(super) async fn place(
    client: Arc<Client>,
    replay: &Replay,
    mut order: Ready,
) -> (String, Result<Placed, ClientError>) {
    order.body["payment_method"] = Value::from(replay.payment_method.as_str());
    let outcome = follow(
        &client,
        &format!("{}{}", replay.key_prefix, order.number),
        &order.body,
    )
    .await;
    (order.number, outcome)
}

#[expect(clippy::disallowed_methods, reason = "a measurement, not logic")]
async fn follow(client: &Client, key: &str, body: &Value) -> Result<Placed, ClientError> {
    let begun = Instant::now();
    let answer = client.post("/api/v1/orders", body, &headers(key)).await?;
    let mut order = answer.body;
    // An order that was placed before answers as it was then; look how it is now.
    for _ in 0..LOOKS {
        if let Some(end) = end(&order) {
            return Ok(Placed {
                end,
                before: answer.replayed,
                took: begun.elapsed(),
            });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let id = order["id"].as_str().unwrap_or_default();
        order = client.get(&format!("/api/v1/orders/{id}")).await?;
    }
    let end = order["status"].as_str().unwrap_or("unknown").to_owned();
    Ok(Placed {
        end,
        before: answer.replayed,
        took: begun.elapsed(),
    })
}

/// So often an order is looked at again, a tenth of a second apart.
const LOOKS: u32 = 300;

fn headers(key: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("prefer", HeaderValue::from_static("wait=30"));
    // Order numbers were checked to be visible ASCII; the prefix is a flag.
    if let Ok(key) = HeaderValue::from_str(key) {
        headers.insert("idempotency-key", key);
    }
    headers
}

/// How an order ended, where its fulfilment has settled.
fn end(order: &Value) -> Option<String> {
    match order["status"].as_str()? {
        "paid" | "shipped" | "delivered" => Some("paid".to_owned()),
        "cancelled" => Some(format!(
            "cancelled: {}",
            order["cancellation"]["reason"]
                .as_str()
                .unwrap_or("unknown")
        )),
        _ => None,
    }
}
