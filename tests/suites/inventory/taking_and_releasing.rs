//! What becomes of stock that is held.

use cleave_inventory_contract::events::{InventoryReleased, ReleaseReason};
use cleave_inventory_contract::port::{ALREADY_RELEASED, HoldingState, RESERVATION_EXPIRED};

use super::shop::{Shop, refused};

async fn releases(shop: &Shop) -> Vec<ReleaseReason> {
    let events = shop.events().await;
    let released = events
        .iter()
        .filter(|event| event.kind == "inventory.released");
    released
        .map(|event| {
            let released: InventoryReleased = event.decode().expect("payload");
            released.reason
        })
        .collect()
}

#[tokio::test]
async fn what_is_taken_leaves_the_shelf() {
    let shop = Shop::open().await;
    let [globe, fan] = shop.stocked([50, 30]).await;
    let order = shop.order();
    let reserved = shop.reserve(order, "k", &[(globe, 2), (fan, 3)]).await;
    let before = shop.store.write_stats().statements;
    let taken = shop.take(order, "t").await.expect("taken");
    assert_eq!(taken.reservation_id, reserved.expect("held").reservation_id);
    assert!(shop.store.write_stats().statements - before <= 2);
    assert_eq!(shop.stock().await, [(48, 0), (27, 0)]);
    assert_eq!(shop.holding(order).await, Some(HoldingState::Taken));
    assert_eq!(shop.take(order, "t").await.expect("once"), taken);
    assert_eq!(shop.take(order, "another").await.expect("once"), taken);
    assert_eq!(shop.stock().await, [(48, 0), (27, 0)]);
    shop.is_sound().await;
}

#[tokio::test]
async fn what_was_held_is_given_back_once() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    let order = shop.order();
    let reserved = shop.reserve(order, "k", &[(globe, 2)]).await.expect("held");
    for key in ["u", "u", "another"] {
        let released = shop.release(order, key).await.expect("released");
        assert_eq!(released.reservation_id, Some(reserved.reservation_id));
    }
    assert_eq!(shop.stock().await, [(50, 0)]);
    assert_eq!(shop.holding(order).await, Some(HoldingState::Released));
    assert_eq!(releases(&shop).await, [ReleaseReason::Compensated]);
    let refusal = refused(shop.take(order, "t").await);
    assert_eq!(refusal.code, RESERVATION_EXPIRED);
    shop.is_sound().await;
}

#[tokio::test]
async fn what_was_taken_is_put_back_on_the_shelf() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    let order = shop.order();
    shop.reserve(order, "k", &[(globe, 2)]).await.expect("held");
    let taken = shop.take(order, "t").await.expect("taken");
    shop.release(order, "u").await.expect("released");
    assert_eq!(shop.stock().await, [(50, 0)]);
    assert_eq!(releases(&shop).await, [ReleaseReason::Compensated]);
    let late = shop.take(order, "t").await;
    assert_eq!(late.expect("the first outcome of this key"), taken);
    assert_eq!(
        refused(shop.take(order, "u").await).code,
        RESERVATION_EXPIRED
    );
    assert_eq!(shop.stock().await, [(50, 0)]);
    shop.is_sound().await;
}

#[tokio::test]
async fn taking_what_was_never_held_is_refused_for_good() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    let order = shop.order();
    let refusal = refused(shop.take(order, "t").await);
    assert_eq!(refusal.code, RESERVATION_EXPIRED);
    let late = refused(shop.reserve(order, "k", &[(globe, 1)]).await);
    assert_eq!(late.code, ALREADY_RELEASED);
    assert_eq!(refused(shop.take(order, "t").await), refusal);
    assert_eq!(shop.stock().await, [(50, 0)]);
    shop.is_sound().await;
}

#[tokio::test]
async fn releasing_a_refused_reservation_gives_nothing_back() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([1]).await;
    let order = shop.order();
    refused(shop.reserve(order, "k", &[(globe, 2)]).await);
    let released = shop.release(order, "u").await.expect("nothing to do");
    assert_eq!(released.reservation_id, None);
    assert_eq!(shop.stock().await, [(1, 0)]);
    assert!(releases(&shop).await.is_empty());
    shop.is_sound().await;
}
