//! `/api/v1/shipments`.

use cleave_tests::shop::{Shop, order};
use cleave_tests::story::{Somebody, Story};
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{path_of, settled, shop, tell_listing, tell_reading};

const SHIPMENTS: &str = "/api/v1/shipments";
/// Well-formed ids of nothing.
const NONE: &str = "shp_00000000000000000000000000";

/// An order whose shipment is scheduled.
async fn scheduled(shop: &Shop, who: &Somebody, sku: &str) -> Value {
    let product = shop.product(sku, 10).await;
    settled(shop, who, &order(&[(&product, 1)], "pm_card_visa")).await
}

fn shipment_of(order: &Value) -> String {
    let id = order["shipment"]["id"].as_str().expect("a shipment");
    format!("{SHIPMENTS}/{id}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipment_is_read_by_its_owner_and_by_admins() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    let one = shipment_of(&scheduled(&shop, &ann, "LAMP").await);
    let people = [&ann, &ben, &shop.operator()];
    tell_reading(&mut story, &one, people, NONE).await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shipments_are_listed_for_their_owner_and_all_for_an_admin() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    let first = scheduled(&shop, &ann, "ONE").await;
    scheduled(&shop, &ben, "TWO").await;
    scheduled(&shop, &ann, "THREE").await;
    let part = |page: &Value| {
        let items = page["items"].as_array().into_iter().flatten();
        let items = items.map(|it| json!({"id": it["id"], "user_id": it["user_id"]}));
        json!({"items": items.collect::<Value>(), "next_cursor": page["next_cursor"]})
    };
    let people = [&ann, &ben, &shop.operator()];
    tell_listing(&mut story, SHIPMENTS, &first, people, part).await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_moves_a_shipment_to_its_end() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let order = scheduled(&shop, &ann, "LAMP").await;
    let one = shipment_of(&order);
    let [dispatch, deliver] = ["dispatch", "deliver"].map(|verb| format!("{one}/{verb}"));
    story.note("Nobody else does, and nothing is delivered before it is dispatched.");
    for path in [&dispatch, &deliver] {
        story.post(path).by(&ann).send().await;
        story.post(path).send().await;
    }
    story.post(&deliver).by(&admin).send().await;
    story.note("One after the other, each once.");
    story.post(&dispatch).by(&admin).send().await;
    story.post(&dispatch).by(&admin).send().await;
    story.post(&deliver).by(&admin).send().await;
    story.post(&deliver).by(&admin).send().await;
    story.note("The order goes with it.");
    let path = path_of(&order);
    let delivered = |order: &Value| order["status"] == "delivered";
    story
        .get(path)
        .by(&ann)
        .until(delivered)
        .showing(|order| json!({"status": order["status"], "shipment": order["shipment"]}))
        .send()
        .await;
    story.note("What is not there.");
    for verb in ["dispatch", "deliver"] {
        for id in [NONE, "7"] {
            let path = format!("{SHIPMENTS}/{id}/{verb}");
            story.post(path).by(&admin).send().await;
        }
    }
    assert_snapshot!(story.text());
    shop.close().await;
}
