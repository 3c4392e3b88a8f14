//! `/api/v1/payments`.

use cleave_tests::shop::{Shop, order};
use cleave_tests::story::{Somebody, Story};
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{errors, path_of, saga_of, settled, shop, tell_listing, tell_reading, until_it_waits};

const PAYMENTS: &str = "/api/v1/payments";
/// Well-formed ids of nothing.
const NONE: &str = "pay_00000000000000000000000000";

/// An order of four at 250 that is paid so; as its fulfilment left it.
async fn paid(shop: &Shop, who: &Somebody, method: &str) -> Value {
    let product = shop.product(&format!("FOR-{method}"), 10).await;
    settled(shop, who, &order(&[(&product, 4)], method)).await
}

fn payment_of(order: &Value) -> String {
    let id = order["payment"]["id"].as_str().expect("a payment");
    format!("{PAYMENTS}/{id}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_read_by_its_owner_and_by_admins() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    let one = payment_of(&paid(&shop, &ann, "pm_card_visa").await);
    let people = [&ann, &ben, &shop.operator()];
    tell_reading(&mut story, &one, people, NONE).await;
    story.note("One that was declined.");
    let declined = paid(&shop, &ann, "pm_card_chargeDeclined").await;
    story.get(payment_of(&declined)).by(&ann).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_are_listed_for_their_owner_and_all_for_an_admin() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    let first = paid(&shop, &ann, "pm_card_visa").await;
    paid(&shop, &ben, "pm_sim_flaky").await;
    paid(&shop, &ann, "pm_card_chargeDeclined").await;
    let part = |page: &Value| {
        let items = page["items"].as_array().into_iter().flatten();
        let items = items.map(|it| json!({"id": it["id"], "method": it["method"]}));
        json!({"items": items.collect::<Value>(), "next_cursor": page["next_cursor"]})
    };
    let people = [&ann, &ben, &shop.operator()];
    tell_listing(&mut story, PAYMENTS, &first, people, part).await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_gives_money_back_in_parts_and_no_more_than_was_taken() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let order = paid(&shop, &ann, "pm_card_visa").await;
    let one = payment_of(&order);
    let refunds = format!("{one}/refunds");
    let some =
        |amount: i64| json!({"amount": {"amount": amount, "currency": "GBP"}, "reason": "damaged"});
    story
        .post(&refunds)
        .by(&admin)
        .json(&some(400))
        .send()
        .await;
    story.note("More than is left; and all that is left.");
    story
        .post(&refunds)
        .by(&admin)
        .json(&some(601))
        .send()
        .await;
    let rest = json!({"reason": "the rest"});
    story.post(&refunds).by(&admin).json(&rest).send().await;
    story.post(&refunds).by(&admin).json(&rest).send().await;
    story.get(&one).by(&ann).send().await;
    story.note("The order shows it, too.");
    let path = path_of(&order);
    let refunded = |order: &Value| order["payment"]["status"] == "refunded";
    story
        .get(path)
        .by(&ann)
        .until(refunded)
        .showing(|order| json!({"status": order["status"], "payment": order["payment"]}))
        .send()
        .await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_may_be_refused() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let refunds = format!(
        "{}/refunds",
        payment_of(&paid(&shop, &ann, "pm_card_visa").await)
    );
    let body = json!({"reason": "damaged"});
    story.note("By its owner, whatever the body is; by nobody.");
    story.post(&refunds).by(&ann).text("{").send().await;
    story.post(&refunds).json(&body).send().await;
    story.note("What no refund can be.");
    let money = |amount: Value, currency: &str| json!({"amount": amount, "currency": currency});
    for body in [
        json!({}),
        json!({"reason": " ", "note": "x"}),
        json!({"reason": "x".repeat(501), "amount": money(json!("1"), "GBP")}),
        json!({"reason": "x", "amount": money(json!(0), "GBP")}),
        json!({"reason": "x", "amount": money(json!(-5), "GBP")}),
        json!({"reason": "x", "amount": money(json!(5), "EUR")}),
        json!({"reason": "x", "amount": money(json!(5), "XXX")}),
    ] {
        let ask = story.post(&refunds).by(&admin).json(&body);
        ask.showing(errors).send().await;
    }
    story.note("Of what is not there.");
    for id in [NONE, "7"] {
        let path = format!("{PAYMENTS}/{id}/refunds");
        story.post(path).by(&admin).json(&body).send().await;
    }
    story.note("Of what was declined, and of what is not settled yet.");
    let declined = payment_of(&paid(&shop, &ann, "pm_card_chargeDeclined").await);
    let path = format!("{declined}/refunds");
    story.post(path).by(&admin).json(&body).send().await;
    let product = shop.product("LAMP", 10).await;
    let away = order(&[(&product, 1)], "pm_sim_unavailable");
    let client = shop.client();
    let away = client.post("/api/v1/orders", &ann.token, &away).await.body;
    let order = path_of(&away);
    let queued = |order: &Value| order["payment"]["status"] == "queued";
    let shown = client.until(&order, &ann.token, queued).await;
    let saga = saga_of(&shop, away["id"].as_str().expect("an id")).await;
    until_it_waits(client, &saga, &admin.token).await;
    let path = format!("{}/refunds", payment_of(&shown));
    story.post(path).by(&admin).json(&body).send().await;
    assert_snapshot!(story.text());
    client
        .post(&format!("{order}/cancel"), &ann.token, &json!({}))
        .await;
    shop.close().await;
}
