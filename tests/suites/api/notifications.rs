//! `/api/v1/notifications`.

use cleave_tests::shop::order;
use cleave_tests::story::Story;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{settled, shop};

const NOTIFICATIONS: &str = "/api/v1/notifications";
/// A well-formed id of no notification.
const NONE: &str = "ntf_00000000000000000000000000";

/// Waits until so many messages were sent.
async fn sent(client: &cleave_tests::shop::Client, token: &str, count: usize) {
    let all = |page: &Value| {
        let items = page["items"].as_array().into_iter().flatten();
        items.filter(|item| item["status"] == "sent").count() == count
    };
    client.until(NOTIFICATIONS, token, all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_told_what_becomes_of_ones_orders() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let client = shop.client();
    sent(client, &ann.token, 1).await;
    let product = shop.product("LAMP", 10).await;
    for (method, count) in [("pm_card_visa", 4), ("pm_card_chargeDeclined", 7)] {
        settled(&shop, &ann, &order(&[(&product, 1)], method)).await;
        sent(client, &ann.token, count).await;
    }
    story.get(NOTIFICATIONS).by(&ann).send().await;
    story.note("In pages; and nobody's.");
    let part = |page: &Value| {
        let items = page["items"].as_array().into_iter().flatten();
        let kinds: Value = items.map(|item| item["kind"].clone()).collect();
        json!({"kinds": kinds, "next_cursor": page["next_cursor"]})
    };
    let path = format!("{NOTIFICATIONS}?limit=4");
    let page = story.get(path).by(&ann).showing(part).send().await;
    let cursor = page.body["next_cursor"].as_str().expect("there is more");
    let path = format!("{NOTIFICATIONS}?limit=4&cursor={cursor}");
    story.get(path).by(&ann).showing(part).send().await;
    story.get(NOTIFICATIONS).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reads_ones_own_notifications() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    sent(shop.client(), &ann.token, 1).await;
    let page = story.get(NOTIFICATIONS).by(&ann).send().await;
    let id = page.body["items"][0]["id"].as_str().expect("an id");
    let read = format!("{NOTIFICATIONS}/{id}/read");
    let first = story.post(&read).by(&ann).send().await;
    story.note("Read again, it was read when it was read first.");
    let again = story.post(&read).by(&ann).send().await;
    assert_eq!(again.body["read_at"], first.body["read_at"]);
    story.note("For others, admins included, it is not there.");
    story.post(&read).by(&ben).send().await;
    story.post(&read).by(&shop.operator()).send().await;
    story.post(&read).send().await;
    for id in [NONE, "7"] {
        let path = format!("{NOTIFICATIONS}/{id}/read");
        story.post(path).by(&ann).send().await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}
