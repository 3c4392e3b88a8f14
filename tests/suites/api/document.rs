//! The document that the program serves of its API.

use std::collections::BTreeSet;

use cleave_tests::story::Story;
use serde_json::{Value, json};

use super::shop;

/// Every operation of the contract, with what it answers and how it refuses.
/// 429 and 503 come with each, and so does 401 where a token is needed.
const OPERATIONS: [(&str, &[u16]); 45] = [
    ("POST /users", &[201, 400, 409, 413, 415, 422]),
    ("GET /users", &[200, 401, 403, 422]),
    ("GET /users/{id}", &[200, 304, 401, 403, 404]),
    ("GET /users/me", &[200, 304, 401]),
    ("PATCH /users/me", &[200, 400, 401, 412, 413, 415, 422, 428]),
    ("POST /users/sessions", &[201, 400, 401, 409, 413, 415, 422]),
    (
        "POST /users/sessions/refresh",
        &[201, 400, 401, 409, 413, 415, 422],
    ),
    ("DELETE /users/sessions", &[204, 401]),
    ("GET /inventory/products", &[200, 422]),
    ("GET /inventory/products/{id}", &[200, 304, 404]),
    (
        "POST /inventory/products",
        &[201, 400, 401, 403, 409, 413, 415, 422],
    ),
    (
        "PATCH /inventory/products/{id}",
        &[200, 400, 401, 403, 404, 412, 413, 415, 422, 428],
    ),
    ("GET /inventory/products/{id}/stock", &[200, 304, 404]),
    (
        "POST /inventory/products/{id}/adjustments",
        &[201, 400, 401, 403, 404, 409, 413, 415, 422],
    ),
    ("POST /inventory/check", &[200, 400, 401, 413, 415, 422]),
    ("POST /orders", &[201, 400, 401, 409, 413, 415, 422]),
    ("GET /orders", &[200, 401, 422]),
    ("GET /orders/{id}", &[200, 304, 401, 404]),
    (
        "POST /orders/{id}/cancel",
        &[200, 400, 401, 404, 409, 413, 415, 422],
    ),
    ("GET /orders/{id}/timeline", &[200, 401, 404]),
    ("GET /orders/{id}/events", &[200, 204, 401, 404, 422]),
    ("GET /payments", &[200, 401, 422]),
    ("GET /payments/{id}", &[200, 304, 401, 404]),
    (
        "POST /payments/{id}/refunds",
        &[201, 400, 401, 403, 404, 409, 413, 415, 422],
    ),
    ("GET /shipments", &[200, 401, 422]),
    ("GET /shipments/{id}", &[200, 304, 401, 404]),
    (
        "POST /shipments/{id}/dispatch",
        &[200, 401, 403, 404, 409, 413, 422],
    ),
    (
        "POST /shipments/{id}/deliver",
        &[200, 401, 403, 404, 409, 413, 422],
    ),
    ("GET /notifications", &[200, 401, 422]),
    (
        "POST /notifications/{id}/read",
        &[200, 401, 404, 409, 413, 422],
    ),
    ("GET /ops/sagas", &[200, 401, 403, 422]),
    ("GET /ops/sagas/{id}", &[200, 304, 401, 403, 404]),
    (
        "POST /ops/sagas/{id}/retry",
        &[200, 401, 403, 404, 409, 413, 422],
    ),
    (
        "POST /ops/sagas/{id}/compensate",
        &[200, 401, 403, 404, 409, 413, 422],
    ),
    ("GET /ops/dead-letters", &[200, 401, 403, 422]),
    (
        "POST /ops/dead-letters/{id}/redrive",
        &[202, 401, 403, 404, 409, 413, 422],
    ),
    ("DELETE /ops/dead-letters/{id}", &[204, 401, 403, 404]),
    ("GET /ops/breakers", &[200, 401, 403]),
    (
        "POST /ops/breakers/{name}",
        &[200, 400, 401, 403, 404, 409, 413, 415, 422],
    ),
    ("GET /ops/topology", &[200, 401, 403]),
    ("POST /ops/audit", &[200, 401, 403]),
    ("GET /health/live", &[200]),
    ("GET /health/ready", &[200, 503]),
    ("GET /metrics", &[200]),
    ("GET /.well-known/jwks.json", &[200]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_lists_every_operation_with_what_it_answers() {
    let shop = shop().await;
    let story = Story::of(&shop).await;
    let paths = story.document()["paths"].as_object().expect("paths");
    let mut listed = BTreeSet::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let path = path.strip_prefix("/api/v1").unwrap_or(path);
            let name = format!("{} {path}", method.to_uppercase());
            let answers = operation["responses"].as_object().expect("responses");
            let mut answers: Vec<u16> = answers
                .keys()
                .filter_map(|status| status.parse().ok())
                .collect();
            answers.retain(|status| ![429, 503].contains(status) || name == "GET /health/ready");
            answers.sort_unstable();
            let known = OPERATIONS.iter().find(|(known, _)| *known == name);
            let (_, expected) = known.unwrap_or_else(|| panic!("{name} is not in the contract"));
            assert_eq!(answers, *expected, "{name}");
            listed.insert(name);
        }
    }
    let expected: BTreeSet<String> = OPERATIONS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(listed, expected);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_says_what_its_answers_look_like() {
    let shop = shop().await;
    let story = Story::of(&shop).await;
    let mut names = BTreeSet::new();
    let paths = story.document()["paths"].as_object().expect("paths");
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name.to_owned()), "two are called {name}");
            assert!(operation["tags"][0].is_string(), "{method} {path}");
            assert!(
                operation["responses"]["default"].is_object(),
                "{method} {path}"
            );
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let bare = ["202", "204", "304"].contains(&status.as_str());
                let shown = response["content"].is_object() || response["$ref"].is_string();
                assert_eq!(shown, !bare, "{method} {path} → {status}");
            }
        }
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "a table with a line for each case")]
async fn closed_sets_are_enumerated() {
    let shop = shop().await;
    let story = Story::of(&shop).await;
    let document = story.document();
    let schemas = &document["components"]["schemas"];
    let set = |schema: &str, member: &str| {
        let mut found = &schemas[schema]["properties"][member];
        if let Some(reference) = found["$ref"].as_str() {
            found = document
                .pointer(reference.trim_start_matches('#'))
                .expect("a schema");
        }
        found["enum"].clone()
    };
    let statuses = json!([
        "pending",
        "queued",
        "unknown",
        "completed",
        "failed",
        "partially_refunded",
        "refunded"
    ]);
    let movements = json!(["scheduled", "in_transit", "delivered", "cancelled"]);
    for (schema, member, expected) in [
        ("Payment", "status", statuses.clone()),
        ("OrderPayment", "status", statuses),
        ("Transaction", "kind", json!(["charge", "refund"])),
        (
            "Transaction",
            "status",
            json!(["pending", "unknown", "completed", "failed"]),
        ),
        (
            "PaymentFailure",
            "code",
            json!(["payment_declined", "already_refunded"]),
        ),
        ("Shipment", "status", movements.clone()),
        ("OrderShipment", "status", movements),
        (
            "Order",
            "status",
            json!([
                "pending",
                "confirmed",
                "paid",
                "shipped",
                "delivered",
                "cancelled"
            ]),
        ),
        (
            "Cancellation",
            "reason",
            json!([
                "insufficient_inventory",
                "payment_declined",
                "shipping_refused",
                "cancelled_by_customer",
                "cancelled_by_operator",
                "expired"
            ]),
        ),
        (
            "TimelineItem",
            "kind",
            json!(["status", "step", "compensation", "event"]),
        ),
        ("User", "role", json!(["customer", "admin"])),
        (
            "Notification",
            "status",
            json!(["queued", "sent", "failed"]),
        ),
        ("Notification", "channel", json!(["email"])),
        (
            "Saga",
            "status",
            json!([
                "pending",
                "waiting",
                "completed",
                "compensating",
                "compensated",
                "stuck"
            ]),
        ),
        ("Saga", "style", json!(["orchestrated", "choreographed"])),
        (
            "Breaker",
            "state",
            json!(["closed", "open", "half_open", "forced_open"]),
        ),
        (
            "SetBreaker",
            "state",
            json!(["closed", "forced_open", "auto"]),
        ),
        ("Placement", "transport", json!(["local", "http"])),
        ("Placement", "health", json!(["ready", "failing"])),
    ] {
        let found = set(schema, member);
        assert_ne!(found, Value::Null, "{schema}.{member} is open");
        assert_eq!(found, expected, "{schema}.{member}");
    }
    shop.close().await;
}
