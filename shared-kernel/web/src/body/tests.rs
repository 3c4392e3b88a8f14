use cleave_vocabulary::{Money, ProductId};
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Basket {
    #[validate(length(min = 1, max = 2), nested)]
    items: Vec<Line>,
    #[validate(email)]
    email: String,
    price: Option<Money>,
    #[serde(default)]
    kind: Kind,
}

#[derive(Debug, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Line {
    product_id: ProductId,
    #[validate(range(min = 1, max = 10_000))]
    quantity: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Usual,
    Gift,
}

const GOOD: &str = r#"{"items":[{"product_id":"prd_01h455vb4pex5vsknk084sn02q","quantity":2}],"email":"a@example.org"}"#;

fn faults(body: &str) -> Vec<String> {
    let problem = Body::<Basket>::parse(body.as_bytes()).expect_err(body);
    assert_eq!(problem.code, "validation_failed", "{body}");
    let shown = problem.errors.iter();
    shown
        .map(|error| format!("{}: {} ({})", error.field, error.message, error.code))
        .collect()
}

#[test]
fn a_good_body_passes() {
    let body = Body::<Basket>::parse(GOOD.as_bytes()).expect("good");
    assert_eq!(body.value.items[0].quantity, 2);
    assert!(matches!(body.value.kind, Kind::Usual));
    assert!(body.value.price.is_none());
    assert_ne!(body.digest, empty_digest());
}

#[test]
fn each_broken_rule_is_named() {
    let body = GOOD.replace("\"quantity\":2", "\"quantity\":10001");
    let body = body.replace("a@example.org", "secret");
    assert_eq!(
        faults(&body),
        [
            "email: must be an email address (invalid_email)",
            "items[0].quantity: must be 1 to 10000 (out_of_range)",
        ]
    );
    assert_eq!(
        faults(r#"{"items":[],"email":"a@example.org"}"#),
        ["items: must have 1 to 2 items (too_short)"]
    );
}

#[test]
fn each_unknown_field_is_named_beside_broken_rules() {
    let body = GOOD.replace("\"email\"", "\"colour\":\"red\",\"size\":{},\"email\"");
    let body = body.replace("\"quantity\":2", "\"quantity\":0,\"weight\":1");
    assert_eq!(
        faults(&body),
        [
            "colour: is not a field of this request (unknown_field)",
            "items[0].quantity: must be 1 to 10000 (out_of_range)",
            "items[0].weight: is not a field of this request (unknown_field)",
            "size: is not a field of this request (unknown_field)",
        ]
    );
}

#[test]
fn missing_fields_and_wrong_types_are_named_together() {
    assert_eq!(
        faults("{}"),
        [
            "email: is required (required)",
            "items: is required (required)"
        ]
    );
    assert_eq!(
        faults(r#"{"items":"secret","email":7,"price":{"amount":"secret"},"kind":"secret"}"#),
        [
            "email: must be a string (invalid_type)",
            "items: must be an array (invalid_type)",
            "kind: must be usual or gift (unknown_value)",
            "price.amount: must be a whole number within its bounds (invalid_type)",
            "price.currency: is required (required)",
        ]
    );
    let body = GOOD.replace("prd_01h455vb4pex5vsknk084sn02q", "secret, expected secret");
    assert_eq!(
        faults(&body.replace(":2}", ":-1}")),
        [
            "items[0].product_id: must start with `prd_` (invalid)",
            "items[0].quantity: must be a whole number, not negative and within its bounds (out_of_range)",
        ]
    );
    assert_eq!(
        faults(&GOOD.replace(":2}", ":-1}")),
        [
            "items[0].quantity: must be a whole number, not negative and within its bounds (out_of_range)"
        ]
    );
}

#[test]
fn a_value_of_a_type_of_our_own_hides_no_other_fault() {
    let body = r#"{
        "items": [{"product_id": "ord_01h455vb4pex5vsknk084sn02q", "quantity": 1}, 7],
        "price": {"amount": 1, "currency": "gbp"},
        "kind": "secret",
        "email": "secret"
    }"#;
    assert_eq!(
        faults(body),
        [
            "email: must be an email address (invalid_email)",
            "items[0].product_id: must start with `prd_` (invalid)",
            "items[1]: must be an object (invalid_type)",
            "kind: must be usual or gift (unknown_value)",
            "price.currency: must be an ISO 4217 currency code (invalid)",
        ]
    );
}

#[test]
fn a_body_is_one_object_that_gives_each_field_once() {
    assert_eq!(faults("[]"), ["body: must be an object (invalid_type)"]);
    assert_eq!(faults("null"), ["body: must be an object (invalid_type)"]);
    let twice = GOOD.replace("\"email\"", "\"email\":\"a@example.org\",\"email\"");
    assert_eq!(
        faults(&twice),
        ["body: must give each field once (duplicate_field)"]
    );
}

#[test]
fn what_is_not_json_is_malformed() {
    let unfinished = &GOOD[..GOOD.len() - 1];
    let late = format!("{{\"colour\":1,{}", &unfinished[1..]);
    for body in ["", "{", "nope", "{'a':1}", unfinished, &late, "\u{feff}{}"] {
        let problem = Body::<Basket>::parse(body.as_bytes()).expect_err(body);
        assert_eq!(problem.code, "malformed_json", "{body}");
        assert_eq!(problem.status, StatusCode::BAD_REQUEST);
    }
    let problem = Body::<Basket>::parse(b"{\"email\":\"\xff\"}").expect_err("not UTF-8");
    assert_eq!(problem.code, "malformed_json");
}

#[test]
fn the_media_type_is_json() {
    let is = |kind: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
        is_json(&headers)
    };
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/merge-patch+json",
    ] {
        assert!(is(kind), "{kind}");
    }
    for kind in [
        "text/plain",
        "application/jsonp",
        "application/x-www-form-urlencoded",
        "json",
    ] {
        assert!(!is(kind), "{kind}");
    }
    assert!(!is_json(&HeaderMap::new()));
}
