//! Two hundred buyers, fifty units, lines in different orders.

use cleave_tests::shop::{Shop, order};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_units_exactly_fifty_are_sold() {
    let shop = Shop::open().await;
    let client = shop.client();
    let one = client.product(&shop.admin, "ONE", 50).await;
    let two = client.product(&shop.admin, "TWO", 50).await;
    let ann = client.customer("ann").await;
    let buyers = (0..200).map(|buyer| {
        let (client, ann) = (client.clone(), ann.clone());
        // Half of them want the two in the other order: nobody may wait for anybody in a circle.
        let lines = if buyer % 2 == 0 {
            [(&*one, 1), (&*two, 1)]
        } else {
            [(&*two, 1), (&*one, 1)]
        };
        let body = order(&lines, "pm_card_visa");
        async move {
            client
                .send(
                    Method::POST,
                    "/api/v1/orders",
                    Some(&ann),
                    &[("prefer", "wait=30")],
                    Some(&body),
                )
                .await
        }
    });
    let mut paid = 0;
    for reply in futures::future::join_all(buyers).await {
        match (reply.status.as_u16(), reply.body["status"].as_str()) {
            (201, Some("paid")) => paid += 1,
            (201, Some("cancelled")) => assert_eq!(
                reply.body["cancellation"]["reason"],
                "insufficient_inventory"
            ),
            (409, _) => assert_eq!(reply.body["code"], "insufficient_inventory"),
            _ => panic!("{reply:?}"),
        }
    }
    assert_eq!(paid, 50);
    for product in [one, two] {
        let stock = client
            .get(&format!("/api/v1/inventory/products/{product}/stock"), "")
            .await
            .body;
        assert_eq!(
            (&stock["on_hand"], &stock["reserved"], &stock["available"]),
            (&json!(0), &json!(0), &json!(0))
        );
    }
    shop.close().await;
}
