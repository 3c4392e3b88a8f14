//! Placing orders over the API.

use cleave_tests::snapshots::masked;
use cleave_vocabulary::{IdSource, Money, ProductId, UuidV7Ids};
use serde_json::{Value, json};

use super::shop::{Gate, Then};
use super::world::{World, body, id_of};

#[tokio::test]
async fn an_order_is_answered_as_it_is_made() {
    let world = World::open().await;
    let gate = Gate::new();
    world.shop.script("reserve", [Then::Wait(gate.clone())]);
    let (tea, mug) = (
        world.shop.sells("TEA", 450, 10),
        world.shop.sells("MUG", 1299, 3),
    );
    let asked = body(&[(tea, 2), (mug, 1), (tea, 1)]);
    let told = world
        .post("/api/v1/orders")
        .json(&asked)
        .send()
        .await
        .expect(201);
    assert_eq!(
        told.header("location"),
        format!("/api/v1/orders/{}", told.text("id"))
    );
    assert_eq!(told.header("etag"), "\"1\"");
    assert_eq!(told.header("preference-applied"), "");
    insta::assert_json_snapshot!("placed", masked(&told.json));
    assert_eq!(world.order(id_of(&told)).await, told.json);
    gate.open();
    world
        .order_until(id_of(&told), |order| order["shipment"].is_object())
        .await;
    world.close().await;
}

#[tokio::test]
async fn who_prefers_to_wait_gets_the_order_as_it_has_settled() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    let told = world.place_and_wait(&body(&[(tea, 2)])).await;
    assert_eq!(told.header("preference-applied"), "wait=20");
    assert_eq!(told.header("etag"), format!("\"{}\"", told.json["version"]));
    insta::assert_json_snapshot!("settled", masked(&told.json));
    world.close().await;
}

#[tokio::test]
async fn who_waits_too_short_gets_the_order_as_it_is() {
    let world = World::open().await;
    let gate = Gate::new();
    world.shop.script("charge", [Then::Wait(gate.clone())]);
    let tea = world.shop.sells("TEA", 450, 10);
    let ask = world.post("/api/v1/orders").header("prefer", "wait=1");
    let told = ask.json(&body(&[(tea, 1)])).send().await.expect(201);
    assert_eq!(told.header("preference-applied"), "wait=1");
    assert_eq!(told.json["status"], "confirmed");
    gate.open();
    world
        .order_until(id_of(&told), |order| order["status"] == "paid")
        .await;
    world.close().await;
}

#[tokio::test]
async fn a_repeated_request_makes_no_second_order() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    let asked = body(&[(tea, 1)]);
    let post = || world.post("/api/v1/orders").key("k-1").json(&asked);
    let first = post().send().await.expect(201);
    world
        .order_until(id_of(&first), |order| order["shipment"].is_object())
        .await;
    let again = post().send().await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.json, first.json, "as it was made");
    // Whoever would rather wait asks how it ended, the first time or again.
    let waited = post().header("prefer", "wait=5").send().await.expect(201);
    assert_eq!(waited.header("idempotency-replayed"), "true");
    assert_eq!(waited.header("preference-applied"), "wait=5");
    assert_eq!(waited.json["status"], "paid");
    assert_eq!(waited.json, world.order(id_of(&first)).await);
    let other = world
        .post("/api/v1/orders")
        .key("k-1")
        .json(&body(&[(tea, 2)]));
    assert_eq!(other.send().await.problem(422), "idempotency_key_reused");
    assert_eq!(
        world.shop.commands(),
        ["reserve", "charge", "take", "schedule"]
    );
    world.close().await;
}

#[tokio::test]
async fn the_first_outcome_holds_whatever_has_changed() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 1);
    let asked = body(&[(tea, 5)]);
    let post = || world.post("/api/v1/orders").key("k-1").json(&asked).send();
    let first = post().await.expect(409);
    assert_eq!(first.json["code"], "insufficient_inventory");
    // Even while those who would have to be asked are away.
    for away in [None, Some(Then::Fail)] {
        world.shop.script("quote", away);
        let again = post().await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(
            again.json, first.json,
            "with the correlation id that it had"
        );
    }
    world.close().await;
}

#[tokio::test]
async fn a_passing_fault_is_not_an_outcome() {
    let world = World::open().await;
    world.shop.script("quote", [Then::Fail]);
    let tea = world.shop.sells("TEA", 450, 10);
    let asked = body(&[(tea, 1)]);
    let post = || world.post("/api/v1/orders").key("k-1").json(&asked).send();
    let away = post().await.expect(503);
    assert_eq!(away.header("retry-after"), "1");
    let told = post().await.expect(201);
    assert_eq!(told.header("idempotency-replayed"), "");
    world
        .order_until(id_of(&told), |order| order["shipment"].is_object())
        .await;
    world.close().await;
}

#[tokio::test]
async fn a_payment_method_is_taken_on_trust_while_payments_are_away() {
    let world = World::open().await;
    world.shop.script("supports", [Then::Fail]);
    let tea = world.shop.sells("TEA", 450, 10);
    let told = world.place_and_wait(&body(&[(tea, 1)])).await;
    assert_eq!(told.json["status"], "paid");
    world.close().await;
}

#[tokio::test]
async fn short_lines_are_named() {
    let world = World::open().await;
    let (tea, mug) = (
        world.shop.sells("TEA", 450, 2),
        world.shop.sells("MUG", 1299, 3),
    );
    let asked = body(&[(tea, 2), (mug, 3), (tea, 1)]);
    let told = world
        .post("/api/v1/orders")
        .json(&asked)
        .send()
        .await
        .expect(409);
    insta::assert_json_snapshot!("short", masked(&told.json));
    assert!(world.shop.commands().is_empty());
    world.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_order_is_named_by_field() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, i64::from(u32::MAX));
    let gold = world.shop.sells("GOLD", i64::MAX / 2, 100);
    let wine = world
        .shop
        .sells_for("WINE", Money::new(900, "EUR".parse().expect("a code")), 9);
    let unknown = ProductId::from_uuid(UuidV7Ids.uuid());
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = body(&[(tea, 1)]);
        change(&mut body);
        body
    };
    let too_many: Vec<_> = (0..101).map(|_| (tea, 1)).collect();
    let cases = [
        ("no lines", body(&[])),
        ("too many lines", body(&too_many)),
        ("nothing of something", body(&[(tea, 1), (tea, 0)])),
        ("too much of something", body(&[(tea, 10_001)])),
        (
            "too much of it together",
            body(&[(tea, 9_000), (tea, 2_000)]),
        ),
        ("a product that is none", body(&[(tea, 1), (unknown, 1)])),
        ("too dear", body(&[(gold, 3)])),
        ("two currencies", body(&[(tea, 1), (wine, 1)])),
        (
            "no such method",
            with(&|body| body["payment_method"] = json!("cash")),
        ),
        (
            "no method",
            with(&|body| body["payment_method"] = json!("")),
        ),
        (
            "a blank name",
            with(&|body| body["shipping_address"]["name"] = json!("  ")),
        ),
        (
            "a line break",
            with(&|body| body["shipping_address"]["line2"] = json!("a\nb")),
        ),
        (
            "no such country",
            with(&|body| body["shipping_address"]["country"] = json!("UK")),
        ),
        (
            "a price of one's own",
            with(&|body| body["items"][0]["unit_price"] = json!(1)),
        ),
        (
            "not an id",
            with(&|body| body["items"][0]["product_id"] = json!("tea")),
        ),
    ];
    let mut problems = Vec::new();
    for (name, body) in cases {
        let told = world
            .post("/api/v1/orders")
            .json(&body)
            .send()
            .await
            .expect(422);
        assert_eq!(told.json["code"], "validation_failed", "{name}");
        problems.push(json!({"case": name, "errors": told.json["errors"]}));
    }
    insta::assert_json_snapshot!("invalid", problems);
    assert!(world.shop.commands().is_empty());
    world.close().await;
}

#[tokio::test]
async fn an_order_needs_a_caller() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    let told = world
        .api
        .post("/api/v1/orders")
        .json(&body(&[(tea, 1)]))
        .send()
        .await;
    assert_eq!(told.problem(401), "unauthorized");
    world.close().await;
}

#[tokio::test]
async fn an_order_costs_the_store_few_statements() {
    let world = World::open().await;
    let gate = Gate::new();
    world.shop.script("reserve", [Then::Wait(gate.clone())]);
    let tea = world.shop.sells("TEA", 450, 10);
    world.quiet().await;
    let before = world.store().write_stats();
    let told = world
        .post("/api/v1/orders")
        .key("k")
        .json(&body(&[(tea, 1)]))
        .send()
        .await;
    let after = world.store().write_stats();
    gate.reached().await;
    let id = id_of(&told.expect(201));
    // The order, its saga and the saga's log, its event, and the key. The read
    // model's handler may have come before the second look.
    assert!(
        after.statements - before.statements <= 5 + 3,
        "{before:?} {after:?}"
    );
    gate.open();
    world.until_shipment(id).await;
    world.close().await;
}
