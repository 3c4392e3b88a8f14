//! Suite: the public contract, operation by operation: what each answers, and
//! each way in which it refuses. Every test opens a program by [`shop`], asks it
//! over HTTP alone, and pins the exchange as one text.

mod conventions;
mod document;
mod inventory;
mod notifications;
mod ops;
mod orders;
mod payments;
mod shipments;
mod unversioned;
mod users;

use cleave_tests::shop::{Client, Shop};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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

/// Waits until a saga waits, and will for some seconds: between its attempts it
/// is under way, and can't be taken up.
async fn until_it_waits(client: &Client, saga: &str, admin: &str) {
    let time = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        OffsetDateTime::parse(text, &Rfc3339).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    let waits = |saga: &Value| {
        let left = time(&saga["next_attempt_at"]) - time(&saga["updated_at"]);
        saga["status"] == "waiting" && left.whole_seconds() >= 2
    };
    client.until(saga, admin, waits).await;
}
