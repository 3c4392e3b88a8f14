//! Reservations end by themselves when their time is over.

use std::sync::Arc;
use std::time::Duration;

use cleave_inventory_contract::events::{InventoryReleased, ReleaseReason};
use cleave_inventory_contract::port::{HoldingState, RESERVATION_EXPIRED};
use cleave_vocabulary::OrderId;
use tokio::task::JoinSet;

use super::shop::{Shop, refused};

const TTL: Duration = Duration::from_mins(15);

async fn until_expired(shop: &Shop, orders: &[OrderId]) {
    let all = async {
        for order in orders {
            while shop.holding(*order).await != Some(HoldingState::Expired) {
                tokio::task::yield_now().await;
            }
        }
    };
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, all).await.expect("expires");
}

#[tokio::test]
async fn what_is_not_taken_in_time_is_given_back() {
    let shop = Shop::open().await;
    let [globe, fan] = shop.stocked([50, 30]).await;
    let running = shop.start();
    let (lapsing, taken, later) = (shop.order(), shop.order(), shop.order());
    let reserved = shop.reserve(lapsing, "a", &[(globe, 2), (fan, 1)]).await;
    shop.reserve(taken, "b", &[(globe, 3)]).await.expect("held");
    shop.take(taken, "t").await.expect("taken");
    shop.clock.advance(TTL / 2);
    shop.reserve(later, "c", &[(fan, 4)]).await.expect("held");
    shop.clock.advance(TTL / 2);
    until_expired(&shop, &[lapsing]).await;
    assert_eq!(shop.stock().await, [(47, 0), (30, 4)]);
    assert_eq!(shop.holding(later).await, Some(HoldingState::Held));
    let events = shop.events().await;
    let last = events.last().expect("told");
    let told: InventoryReleased = last.decode().expect("payload");
    assert_eq!(told.reason, ReleaseReason::Expired);
    assert_eq!(told.reservation_id, reserved.expect("held").reservation_id);
    assert_eq!(
        last.correlationid, events[0].correlationid,
        "the order's correlation"
    );
    shop.clock.advance(TTL);
    until_expired(&shop, &[later]).await;
    running.stop().await;
    shop.is_sound().await;
}

#[tokio::test]
async fn what_lapsed_while_nobody_ran_expires_at_the_start() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([500]).await;
    let mut orders = vec![];
    for _ in 0..150 {
        let order = shop.order();
        let key = order.to_string();
        shop.reserve(order, &key, &[(globe, 1)])
            .await
            .expect("held");
        orders.push(order);
    }
    shop.clock.advance(TTL);
    let running = shop.start();
    until_expired(&shop, &orders).await;
    running.stop().await;
    assert_eq!(shop.stock().await, [(500, 0)]);
    assert_eq!(shop.told().await.len(), 300, "each is told");
    shop.is_sound().await;
}

#[tokio::test]
async fn taking_too_late_is_refused_and_expires_it() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    let order = shop.order();
    shop.reserve(order, "k", &[(globe, 2)]).await.expect("held");
    shop.clock.advance(TTL);
    let refusal = refused(shop.take(order, "t").await);
    assert_eq!(refusal.code, RESERVATION_EXPIRED);
    assert_eq!(shop.holding(order).await, Some(HoldingState::Expired));
    assert_eq!(shop.stock().await, [(50, 0)]);
    let events = shop.events().await;
    let told: InventoryReleased = events[1].decode().expect("payload");
    assert_eq!(told.reason, ReleaseReason::Expired);
    assert_eq!(refused(shop.take(order, "t").await), refusal);
    let released = shop.release(order, "u").await.expect("nothing to do");
    assert_eq!(released.reservation_id, Some(told.reservation_id));
    assert_eq!(shop.told().await.len(), 2, "it was given back once");
    shop.is_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_taking_and_expiring_exactly_one_happens() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([1_000]).await;
    let running = shop.start();
    let shop = Arc::new(shop);
    let mut orders = vec![];
    for _ in 0..100 {
        let order = shop.order();
        let key = order.to_string();
        shop.reserve(order, &key, &[(globe, 1)])
            .await
            .expect("held");
        orders.push(order);
    }
    // All of them are asked for while the clock passes their time.
    shop.clock
        .advance(TTL.saturating_sub(Duration::from_millis(1)));
    let mut takers = JoinSet::new();
    for order in orders {
        let shop = shop.clone();
        takers.spawn(async move { (order, shop.take(order, &format!("{order}:take")).await) });
    }
    shop.clock.advance(Duration::from_millis(1));
    let mut taken = 0;
    while let Some(answer) = takers.join_next().await {
        let (order, answer) = answer.expect("answers");
        if answer.is_ok() {
            taken += 1;
            assert_eq!(shop.holding(order).await, Some(HoldingState::Taken));
        } else {
            until_expired(&shop, &[order]).await;
        }
    }
    running.stop().await;
    assert_eq!(shop.stock().await, [(1_000 - taken, 0)]);
    shop.is_sound().await;
}
