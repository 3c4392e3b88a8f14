//! The JSON of this context's events, as it stands in the outbox.

use cleave_inventory_contract::port::{ReleaseStock, ReserveStock, StockLine};
use cleave_tests::snapshots::masked;
use cleave_vocabulary::{CallContext, OrderId, ProductId};
use serde_json::json;

use super::shop::{Shop, refused};

fn reserve(order: OrderId, product: ProductId, quantity: u32) -> ReserveStock {
    ReserveStock {
        key: format!("{order}:reserve_inventory"),
        order_id: order,
        lines: vec![StockLine {
            product_id: product,
            quantity,
        }],
    }
}

#[tokio::test]
async fn the_events_json_is_frozen() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([12]).await;
    let call = CallContext::of("story-1".parse().expect("an id")).caused_by("k-1");
    let (held, short) = (shop.order(), shop.order());
    let reserved = shop.port.reserve(&call, reserve(held, globe, 5)).await;
    reserved.expect("held");
    refused(shop.port.reserve(&call, reserve(short, globe, 8)).await);
    let release = ReleaseStock {
        key: format!("{held}:release_inventory"),
        order_id: held,
    };
    shop.port.release(&call, release).await.expect("released");
    let mut events = shop.events().await;
    events.sort_by(|one, other| one.kind.cmp(&other.kind));
    let kinds: Vec<&str> = events.iter().map(|event| &*event.kind).collect();
    assert_eq!(
        kinds,
        [
            "inventory.released",
            "inventory.reservation_failed",
            "inventory.reserved",
            "inventory.stock_low",
        ]
    );
    insta::assert_json_snapshot!("events", masked(&json!(events)));
    shop.is_sound().await;
}
