//! Stock over HTTP: looking, correcting, asking.

use cleave_tests::snapshots::{masked, masked_together};
use cleave_vocabulary::ProductId;
use cleave_web::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::shop::Shop;

const CHECK: &str = "/api/v1/inventory/check";

fn stock_of(product: ProductId) -> String {
    format!("/api/v1/inventory/products/{product}/stock")
}

fn adjustments_of(product: ProductId) -> String {
    format!("/api/v1/inventory/products/{product}/adjustments")
}

#[tokio::test]
async fn stock_tells_what_is_on_hand_and_what_is_reserved() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    shop.reserve(shop.order(), "k", &[(globe, 4)])
        .await
        .expect("held");
    let told = shop.api.get(&stock_of(globe)).send().await.expect(200);
    assert_json_snapshot!(masked(&told.json));
    let tag = told.header("etag").to_owned();
    let again = shop.api.get(&stock_of(globe)).if_none_match(&tag).send();
    again.await.expect(304);
}

#[tokio::test]
async fn a_corrected_count_is_kept_with_its_reason() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    let ask = || {
        shop.as_admin(shop.api.post(&adjustments_of(globe)))
            .key("k")
    };
    let body = json!({"delta": -3, "reason": " broken in the store "});
    let first = ask().json(&body).send().await.expect(201);
    assert_json_snapshot!(masked(&first.json));
    let again = ask().json(&body).send().await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(shop.stock().await, [(47, 0)]);
    let reasons: Vec<String> = shop
        .column("SELECT reason AS value FROM stock_adjustments")
        .await;
    assert_eq!(reasons, ["broken in the store"]);
    let after: Vec<i64> = shop
        .column("SELECT on_hand_after AS value FROM stock_adjustments")
        .await;
    assert_eq!(after, [47]);
    shop.is_sound().await;
}

#[tokio::test]
async fn a_correction_leaves_what_is_reserved() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    shop.reserve(shop.order(), "k", &[(globe, 45)])
        .await
        .expect("held");
    let adjust = |delta: i64| {
        let ask = shop.as_admin(shop.api.post(&adjustments_of(globe)));
        ask.json(&json!({"delta": delta, "reason": "stocktaking"}))
            .send()
    };
    let refused = adjust(-6).await.expect(409);
    assert_json_snapshot!(masked(&refused.json));
    assert_eq!(shop.stock().await, [(50, 45)]);
    assert_eq!(adjust(-5).await.expect(201).json["available"], 0);
    let low = shop.told().await;
    assert_eq!(low, ["inventory.reserved", "inventory.stock_low"]);
    assert_eq!(
        adjust(1_000_000_000).await.problem(422),
        "validation_failed"
    );
    shop.is_sound().await;
}

#[tokio::test]
async fn a_correction_that_corrects_nothing_says_so() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    for body in [
        json!({"delta": 0, "reason": "x"}),
        json!({"delta": 1_000_000_001, "reason": "x"}),
        json!({"delta": 1, "reason": "  "}),
        json!({"delta": 1, "reason": "x".repeat(501)}),
        json!({"delta": 1}),
    ] {
        let ask = shop.as_admin(shop.api.post(&adjustments_of(globe)));
        let told = ask.json(&body).send().await;
        assert_eq!(told.problem(422), "validation_failed", "{body}");
    }
    assert_eq!(shop.stock().await, [(50, 0)]);
}

#[tokio::test]
async fn a_check_tells_each_product_once_and_holds_nothing() {
    let shop = Shop::open().await;
    let [globe, fan] = shop.stocked([5, 30]).await;
    let check = |items: Value| {
        let ask = shop.api.post(CHECK).caller(shop.ids.next(), Role::Customer);
        ask.json(&json!({"items": items})).send()
    };
    let item =
        |product: ProductId, quantity: u32| json!({"product_id": product, "quantity": quantity});
    let enough = check(json!([item(globe, 2), item(fan, 1), item(globe, 3)])).await;
    let short = check(json!([item(fan, 1), item(globe, 6)])).await;
    let [enough, short] = masked_together([&enough.expect(200).json, &short.expect(200).json]);
    assert_json_snapshot!(json!({"enough": enough, "short": short}));
    assert_eq!(shop.stock().await, [(5, 0), (30, 0)]);
}

#[tokio::test]
async fn a_check_of_what_no_order_can_be_is_refused() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([5]).await;
    let unknown: ProductId = shop.ids.next();
    let item =
        |product: ProductId, quantity: u32| json!({"product_id": product, "quantity": quantity});
    let ask = || shop.api.post(CHECK).caller(shop.ids.next(), Role::Customer);
    let items = json!({"items": [item(globe, 1), item(unknown, 1)]});
    let told = ask().json(&items).send().await.expect(422);
    assert_json_snapshot!(masked(&told.json));
    for items in [
        json!([]),
        json!(vec![item(globe, 1); 101]),
        json!([item(globe, 0)]),
        json!([item(globe, 10_001)]),
        json!([{"product_id": "ord_01h455vb4pex5vsknk084sn02q", "quantity": 1}]),
    ] {
        let told = ask().json(&json!({"items": items})).send().await;
        assert_eq!(told.problem(422), "validation_failed");
    }
    let anonymous = shop.api.post(CHECK).json(&items).send().await;
    anonymous.expect(401);
}
