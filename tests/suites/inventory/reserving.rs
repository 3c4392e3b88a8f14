//! Holding stock: all lines or none, once for each order, never too much.

use std::sync::Arc;

use cleave_inventory::InventorySettings;
use cleave_inventory_contract::events::{InventoryReserved, ReservationFailed, StockLow};
use cleave_inventory_contract::port::{
    ALREADY_RELEASED, HoldingState, INSUFFICIENT_INVENTORY, ShortLine, UNKNOWN_PRODUCT,
};
use cleave_vocabulary::{KeyedOutcome, OutcomeOf, ProductId};
use tokio::task::JoinSet;

use super::shop::{Shop, refused};

async fn outcome(shop: &Shop, key: &str) -> KeyedOutcome<()> {
    let asked = OutcomeOf { key: key.into() };
    let outcome = shop.port.reserve_outcome(&shop.call(), asked).await;
    match outcome.expect("answers") {
        KeyedOutcome::Done(_) => KeyedOutcome::Done(()),
        KeyedOutcome::Refused(refusal) => KeyedOutcome::Refused(refusal),
        KeyedOutcome::Never => KeyedOutcome::Never,
    }
}

#[tokio::test]
async fn what_is_held_counts_as_reserved_and_is_told() {
    let shop = Shop::open().await;
    let [globe, fan] = shop.stocked([50, 30]).await;
    let order = shop.order();
    let lines = [(fan, 1), (globe, 2), (fan, 3)];
    let reserved = shop.reserve(order, "k", &lines).await.expect("held");
    assert_eq!(shop.stock().await, [(50, 2), (30, 4)]);
    assert_eq!(shop.holding(order).await, Some(HoldingState::Held));
    let events = shop.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].causationid.as_deref(), Some("k"));
    let told: InventoryReserved = events[0].decode().expect("payload");
    assert_eq!(told.reservation_id, reserved.reservation_id);
    assert_eq!(told.expires_at, reserved.expires_at);
    let quantities: Vec<_> = told.lines.iter().map(|line| line.quantity).collect();
    assert_eq!(quantities, [2, 4], "summed, one line for each product");
    shop.is_sound().await;
}

#[tokio::test]
async fn where_one_line_falls_short_nothing_is_held() {
    let shop = Shop::open().await;
    let [globe, fan] = shop.stocked([50, 3]).await;
    let order = shop.order();
    let refusal = refused(shop.reserve(order, "k", &[(globe, 2), (fan, 4)]).await);
    assert_eq!(refusal.code, INSUFFICIENT_INVENTORY);
    let short: Vec<ShortLine> =
        serde_json::from_value(refusal.details.expect("the short lines")).expect("lines");
    let expected = ShortLine {
        product_id: fan,
        requested: 4,
        available: 3,
    };
    assert_eq!(short, std::slice::from_ref(&expected));
    assert_eq!(shop.stock().await, [(50, 0), (3, 0)]);
    assert_eq!(shop.holding(order).await, None);
    let events = shop.events().await;
    let told: ReservationFailed = events[0].decode().expect("payload");
    assert_eq!((told.order_id, told.short), (order, vec![expected]));
    shop.is_sound().await;
}

#[tokio::test]
async fn a_product_that_does_not_exist_is_refused_by_name() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    let nowhere: ProductId = shop.ids.next();
    let lines = [(globe, 1), (nowhere, 1)];
    let refusal = refused(shop.reserve(shop.order(), "k", &lines).await);
    assert_eq!(refusal.code, UNKNOWN_PRODUCT);
    let unknown: Vec<ProductId> =
        serde_json::from_value(refusal.details.expect("which")).expect("ids");
    assert_eq!(unknown, [nowhere]);
    assert_eq!(shop.stock().await, [(50, 0)]);
    shop.is_sound().await;
}

#[tokio::test]
async fn a_repeated_command_gets_the_first_outcome_and_does_nothing() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    let order = shop.order();
    let first = shop.reserve(order, "k", &[(globe, 2)]).await.expect("held");
    let again = shop.reserve(order, "k", &[(globe, 2)]).await.expect("held");
    assert_eq!(first, again);
    assert_eq!(shop.stock().await, [(50, 2)]);
    assert_eq!(shop.told().await, ["inventory.reserved"]);
    shop.release(order, "u").await.expect("released");
    let late = shop
        .reserve(order, "k", &[(globe, 2)])
        .await
        .expect("the first outcome");
    assert_eq!(first, late);
    assert_eq!(shop.stock().await, [(50, 0)]);
    shop.is_sound().await;
}

#[tokio::test]
async fn a_refusal_is_replayed_even_when_stock_has_come_since() {
    let shop = Shop::open().await;
    let [globe, _fan] = shop.stocked([1, 1]).await;
    let (first, second) = (shop.order(), shop.order());
    shop.reserve(first, "a", &[(globe, 1)]).await.expect("held");
    let refusal = refused(shop.reserve(second, "b", &[(globe, 1)]).await);
    shop.release(first, "u").await.expect("released");
    let replayed = refused(shop.reserve(second, "b", &[(globe, 1)]).await);
    assert_eq!(refusal, replayed);
    let another = refused(shop.reserve(second, "c", &[(globe, 1)]).await);
    assert_eq!(refusal, another, "an order has one reservation");
    assert_eq!(shop.stock().await[0], (1, 0));
    shop.is_sound().await;
}

#[tokio::test]
async fn the_outcome_can_be_asked_for_by_key() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([1]).await;
    assert_eq!(outcome(&shop, "a").await, KeyedOutcome::Never);
    shop.reserve(shop.order(), "a", &[(globe, 1)])
        .await
        .expect("held");
    assert_eq!(outcome(&shop, "a").await, KeyedOutcome::Done(()));
    let refusal = refused(shop.reserve(shop.order(), "b", &[(globe, 1)]).await);
    assert_eq!(outcome(&shop, "b").await, KeyedOutcome::Refused(refusal));
}

#[tokio::test]
async fn a_reservation_that_comes_behind_its_release_is_refused() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    let order = shop.order();
    let released = shop.release(order, "u").await.expect("nothing to do");
    assert_eq!(released.reservation_id, None);
    let refusal = refused(shop.reserve(order, "k", &[(globe, 1)]).await);
    assert_eq!(refusal.code, ALREADY_RELEASED);
    assert_eq!(
        refused(shop.reserve(order, "k", &[(globe, 1)]).await),
        refusal
    );
    assert_eq!(outcome(&shop, "k").await, KeyedOutcome::Refused(refusal));
    assert_eq!(shop.stock().await, [(50, 0)]);
    assert_eq!(shop.holding(order).await, None);
    assert!(shop.told().await.is_empty());
    shop.is_sound().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_order() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    shop.reserve(shop.order(), "k", &[(globe, 1)])
        .await
        .expect("held");
    let refusal = refused(shop.reserve(shop.order(), "k", &[(globe, 1)]).await);
    assert_eq!(refusal.code, "idempotency_key_reused");
    assert_eq!(shop.stock().await, [(50, 1)]);
    shop.is_sound().await;
}

#[tokio::test]
async fn lines_that_no_order_can_mean_are_refused() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    for lines in [&[][..], &[(globe, 0)]] {
        let refusal = refused(shop.reserve(shop.order(), "k", lines).await);
        assert_eq!(refusal.code, "invalid_lines");
    }
    assert_eq!(outcome(&shop, "k").await, KeyedOutcome::Never);
}

#[tokio::test]
async fn low_stock_is_told_when_the_threshold_is_crossed_and_not_again() {
    let settings = InventorySettings {
        low_stock_threshold: 5,
        ..InventorySettings::default()
    };
    let shop = Shop::with(settings).await;
    let [globe, fan] = shop.stocked([7, 100]).await;
    for _ in 0..3 {
        let lines = [(globe, 1), (fan, 1)];
        let order = shop.order();
        let key = order.to_string();
        shop.reserve(order, &key, &lines).await.expect("held");
    }
    let events = shop.events().await;
    let low: Vec<StockLow> = events
        .iter()
        .filter(|event| event.kind == "inventory.stock_low")
        .map(|event| event.decode().expect("payload"))
        .collect();
    let expected = StockLow {
        product_id: globe,
        sku: "SKU-0000".into(),
        available: 5,
        threshold: 5,
    };
    assert_eq!(low, [expected]);
}

#[tokio::test]
async fn a_hundred_lines_are_held_as_one() {
    let shop = Shop::open().await;
    let products = shop.stocked([5; 101]).await;
    let lines: Vec<_> = products.iter().map(|product| (*product, 5)).collect();
    let before = shop.store.write_stats().statements;
    shop.reserve(shop.order(), "k", &lines[..100])
        .await
        .expect("held");
    let statements = shop.store.write_stats().statements - before;
    assert!(statements <= 5, "{statements} statements");
    let refusal = refused(shop.reserve(shop.order(), "l", &lines).await);
    let short: Vec<ShortLine> =
        serde_json::from_value(refusal.details.expect("lines")).expect("lines");
    assert_eq!(short.len(), 100);
    shop.is_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_buyers_never_get_more_than_there_is() {
    const UNITS: i64 = 50;
    let shop = Arc::new(Shop::open().await);
    let [globe, fan, tape] = shop.stocked([UNITS, 1_000, UNITS]).await;
    let mut buyers = JoinSet::new();
    for buyer in 0..200 {
        let shop = shop.clone();
        let lines = match buyer % 3 {
            0 => vec![(globe, 1), (fan, 2), (tape, 1)],
            1 => vec![(tape, 1), (globe, 1)],
            _ => vec![(fan, 1), (tape, 1), (globe, 1)],
        };
        buyers.spawn(async move {
            let order = shop.order();
            let key = order.to_string();
            shop.reserve(order, &key, &lines).await
        });
    }
    let mut held = 0;
    for answer in buyers.join_all().await {
        if answer.is_ok() {
            held += 1;
        } else {
            assert_eq!(refused(answer).code, INSUFFICIENT_INVENTORY);
        }
    }
    assert_eq!(held, UNITS);
    let stock = shop.stock().await;
    assert_eq!((stock[0], stock[2]), ((UNITS, UNITS), (UNITS, UNITS)));
    shop.is_sound().await;
}
