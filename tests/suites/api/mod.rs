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
use cleave_tests::story::{Somebody, Story};
use reqwest::Method;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Well-formed, and nobody's.
const NO_ORDER: &str = "ord_00000000000000000000000000";

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

/// The saga of an order, by its path.
async fn saga_of(shop: &Shop, order: &str) -> String {
    let page = format!("/api/v1/ops/sagas?order_id={order}");
    let page = shop.client().get(&page, &shop.admin).await.body;
    let id = page["items"][0]["id"].as_str().expect("a saga");
    format!("/api/v1/ops/sagas/{id}")
}

/// What a problem says of the members of a body.
fn errors(problem: &Value) -> Value {
    problem["errors"].clone()
}

/// Places an order and waits for its fate; as it is then.
async fn settled(shop: &Shop, who: &Somebody, body: &Value) -> Value {
    let (token, wait) = (Some(&*who.token), [("prefer", "wait=30")]);
    let client = shop.client();
    let made = client.send(Method::POST, "/api/v1/orders", token, &wait, Some(body));
    let made = made.await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body
}

/// An order's path.
fn path_of(order: &Value) -> String {
    let id = order["id"].as_str().expect("an order");
    format!("/api/v1/orders/{id}")
}

/// Tells how one of a collection is read: by its owner, by an admin who has seen
/// it already, by another and by nobody; and that ids of none find none.
async fn tell_reading(
    story: &mut Story,
    one: &str,
    [owner, other, admin]: [&Somebody; 3],
    none: &str,
) {
    let told = story.get(one).by(owner).send().await;
    let again = story.get(one).by(admin);
    let again = again.header("if-none-match", told.header("etag"));
    again.send().await;
    story.note("For others it is not there.");
    story.get(one).by(other).send().await;
    story.get(one).send().await;
    let (collection, _) = one.rsplit_once('/').expect("a path");
    for id in [none, "7"] {
        let path = format!("{collection}/{id}");
        story.get(path).by(owner).send().await;
    }
}

/// Tells how a collection of what orders lead to is listed. Two of its three
/// items are `owner`'s, one of them led to by `order`; none is `other`'s by it.
async fn tell_listing(
    story: &mut Story,
    collection: &str,
    order: &Value,
    [owner, other, admin]: [&Somebody; 3],
    part: fn(&Value) -> Value,
) {
    story.get(collection).by(owner).showing(part).send().await;
    let path = format!("{collection}?limit=2");
    let page = story.get(path).by(admin).showing(part).send().await;
    let cursor = page.body["next_cursor"].as_str().expect("there is more");
    let path = format!("{collection}?limit=2&cursor={cursor}");
    story.get(path).by(admin).showing(part).send().await;
    story.note("Of one order; of nobody else's; of none.");
    let order = order["id"].as_str().expect("an id");
    for (id, who) in [(order, owner), (order, other), (NO_ORDER, owner)] {
        let path = format!("{collection}?order_id={id}");
        story.get(path).by(who).showing(part).send().await;
    }
    story.note("What is no id; and nobody's.");
    let path = format!("{collection}?order_id=7");
    story.get(path).by(owner).send().await;
    story.get(collection).send().await;
}
