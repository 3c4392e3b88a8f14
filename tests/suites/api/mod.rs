//! Suite: the public contract, operation by operation: what each answers, and
//! each way in which it refuses. Every test opens a program by [`shop`], asks it
//! over HTTP alone, and pins the exchange as one text.

mod users;

use cleave_tests::shop::Shop;

/// A shop whose carrier moves nothing by itself, so that a shipment stands where
/// an admin has put it.
async fn shop() -> Shop {
    shop_with(&[]).await
}

/// The same, with further settings.
async fn shop_with(settings: &[(&str, &str)]) -> Shop {
    let mut all = vec![
        ("shipping.simulated.pickup_after", "never"),
        ("shipping.simulated.deliver_after", "never"),
    ];
    all.extend_from_slice(settings);
    Shop::open_set(&all).await
}
