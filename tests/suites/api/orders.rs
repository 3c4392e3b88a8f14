//! `/api/v1/orders`.

use cleave_tests::shop::{Shop, address, order};
use cleave_tests::story::{Somebody, Story};
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{errors, path_of, settled, shop, shop_with, tell_reading};

const ORDERS: &str = "/api/v1/orders";
/// A well-formed id of no order.
const NONE: &str = "ord_00000000000000000000000000";

/// An order that holds stock and waits for its payment; its path.
async fn held(shop: &Shop, who: &Somebody, product: &str) -> String {
    let body = order(&[(product, 1)], "pm_sim_unavailable");
    let made = shop.client().post(ORDERS, &who.token, &body).await;
    let path = path_of(&made.body);
    let confirmed = |order: &Value| order["status"] == "confirmed";
    shop.client().until(&path, &who.token, confirmed).await;
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_placed_at_the_catalogues_prices() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let (lamp, candle) = (
        shop.product("LAMP", 10).await,
        shop.product("CANDLE", 10).await,
    );
    story.note("The same product on two lines is one line of the sum.");
    let lines = [(&*lamp, 2), (&*candle, 1), (&*lamp, 3)];
    let body = order(&lines, "pm_card_visa");
    let made = story.post(ORDERS).by(&ann).json(&body).send().await;
    assert_eq!(made.header("location"), format!("{ORDERS}/{}", made.id()));
    story.note("An admin may, too, and whoever waits hears its fate.");
    story
        .post(ORDERS)
        .by(&shop.operator())
        .header("prefer", "wait=30")
        .json(&order(&[(&lamp, 1)], "pm_card_visa"))
        .send()
        .await;
    story.note("Nobody else does; and a price is none of the client's affair.");
    story.post(ORDERS).json(&body).send().await;
    let mut priced = order(&[(&lamp, 1)], "pm_card_visa");
    priced["items"][0]["unit_price"] = json!({"amount": 1, "currency": "GBP"});
    priced["total"] = json!({"amount": 1, "currency": "GBP"});
    story.post(ORDERS).by(&ann).json(&priced).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_stock_does_not_suffice_for_is_refused() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let (lamp, candle) = (
        shop.product("LAMP", 2).await,
        shop.product("CANDLE", 10).await,
    );
    let body = order(&[(&candle, 10), (&lamp, 3)], "pm_card_visa");
    story.post(ORDERS).by(&ann).json(&body).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_an_order_is_named_by_field() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let lamp = shop.product("LAMP", 10).await;
    story.note("Nothing of it.");
    story.post(ORDERS).by(&ann).json(&json!({})).send().await;
    story.note("Lines.");
    let line = |quantity: Value| json!({"product_id": lamp, "quantity": quantity});
    let quantities = [
        json!(0),
        json!(-1),
        json!(10_001),
        json!(1.5),
        json!("1"),
        json!(null),
    ];
    let foreign = json!({"product_id": NONE, "quantity": 1, "gift": true});
    for items in [
        json!([]),
        json!(quantities.map(line)),
        json!([foreign, 7]),
        json!(vec![line(json!(1)); 101]),
        json!([line(json!(10_000)), line(json!(1))]),
        json!([{"product_id": "prd_00000000000000000000000000", "quantity": 1}, line(json!(1))]),
    ] {
        let mut body = order(&[], "pm_card_visa");
        body["items"] = items;
        let ask = story.post(ORDERS).by(&ann).json(&body);
        ask.showing(errors).send().await;
    }
    story.note("The way to pay.");
    for method in [json!("pm_card_unknown"), json!(""), json!(null)] {
        let mut body = order(&[(&lamp, 1)], "");
        body["payment_method"] = method;
        let ask = story.post(ORDERS).by(&ann).json(&body);
        ask.showing(errors).send().await;
    }
    story.note("The address.");
    for address in [
        json!({}),
        json!({
            "name": " ",
            "line1": "x".repeat(201),
            "line2": 7,
            "city": "Lon\u{0}don",
            "postal_code": "x".repeat(21),
            "country": "UK",
            "planet": "Earth",
        }),
    ] {
        let mut body = order(&[(&lamp, 1)], "pm_card_visa");
        body["shipping_address"] = address;
        let ask = story.post(ORDERS).by(&ann).json(&body);
        ask.showing(errors).send().await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_read_by_its_owner_and_by_admins() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    let lamp = shop.product("LAMP", 10).await;
    let one = path_of(&settled(&shop, &ann, &order(&[(&lamp, 1)], "pm_card_visa")).await);
    let people = [&ann, &ben, &shop.operator()];
    tell_reading(&mut story, &one, people, NONE).await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_listed_for_their_owner_and_all_for_an_admin() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    let lamp = shop.product("LAMP", 10).await;
    for (who, method) in [
        (&ann, "pm_card_visa"),
        (&ben, "pm_card_visa"),
        (&ann, "pm_card_chargeDeclined"),
    ] {
        settled(&shop, who, &order(&[(&lamp, 1)], method)).await;
    }
    let part = |page: &Value| {
        let items = page["items"].as_array().into_iter().flatten();
        let items = items
            .map(|it| json!({"id": it["id"], "user_id": it["user_id"], "status": it["status"]}));
        json!({"items": items.collect::<Value>(), "next_cursor": page["next_cursor"]})
    };
    let admin = shop.operator();
    // An admin waits for nobody's read model but looks until it has caught up.
    let three = |page: &Value| page["items"].as_array().is_some_and(|all| all.len() == 3);
    shop.client().until(ORDERS, &admin.token, three).await;
    story.get(ORDERS).by(&ann).showing(part).send().await;
    let page = story
        .get(format!("{ORDERS}?limit=2"))
        .by(&admin)
        .showing(part)
        .send()
        .await;
    let cursor = page.body["next_cursor"].as_str().expect("there is more");
    story
        .get(format!("{ORDERS}?limit=2&cursor={cursor}"))
        .by(&admin)
        .showing(part)
        .send()
        .await;
    for status in ["cancelled", "delivered"] {
        story
            .get(format!("{ORDERS}?status={status}"))
            .by(&ann)
            .showing(part)
            .send()
            .await;
    }
    story.note("What is no status; and nobody's orders.");
    story
        .get(format!("{ORDERS}?status=lost"))
        .by(&ann)
        .send()
        .await;
    story.get(ORDERS).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_cancelled_while_it_may_be() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let ben = shop.customer("ben").await;
    let lamp = shop.product("LAMP", 10).await;
    let one = format!("{}/cancel", held(&shop, &ann, &lamp).await);
    story.note("Not by others, and not for reasons that are none.");
    story.post(&one).by(&ben).json(&json!({})).send().await;
    story.post(&one).send().await;
    for body in [
        json!({"reason": " "}),
        json!({"reason": 7}),
        json!({"why": "a"}),
        json!({"reason": "x".repeat(501)}),
    ] {
        let ask = story.post(&one).by(&ann).json(&body);
        ask.showing(errors).send().await;
    }
    story.note("By its owner, in their words; and not twice.");
    let reason = json!({"reason": "changed my mind"});
    story.post(&one).by(&ann).json(&reason).send().await;
    story.post(&one).by(&ann).json(&reason).send().await;
    story.note("By an operator, without a word.");
    let other = format!("{}/cancel", held(&shop, &ann, &lamp).await);
    story
        .post(&other)
        .by(&admin)
        .showing(|order| json!({"status": order["status"], "cancellation": order["cancellation"]}))
        .send()
        .await;
    story.note("Not once it is paid.");
    let paid = path_of(&settled(&shop, &ann, &order(&[(&lamp, 1)], "pm_card_visa")).await);
    story.post(format!("{paid}/cancel")).by(&ann).send().await;
    story.note("What is not there.");
    for id in [NONE, "7"] {
        let path = format!("{ORDERS}/{id}/cancel");
        story.post(path).by(&admin).send().await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeline_tells_everything_in_causal_order() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    let lamp = shop.product("LAMP", 10).await;
    let one = path_of(&settled(&shop, &ann, &order(&[(&lamp, 1)], "pm_card_chargeDeclined")).await);
    let timeline = format!("{one}/timeline");
    story.get(&timeline).by(&ann).until(is_whole).send().await;
    story.note("For others it is not there.");
    story.get(&timeline).by(&ben).send().await;
    story.get(&timeline).send().await;
    story
        .get(format!("{ORDERS}/{NONE}/timeline"))
        .by(&ann)
        .send()
        .await;
    assert_snapshot!(story.text());
    shop.close().await;
}

/// What other contexts say of a declined order.
const OF_OTHERS: [&str; 3] = ["inventory.released", "inventory.reserved", "payment.failed"];

/// Whether the timeline of a declined order tells all that there is to tell:
/// what other contexts say comes by itself.
fn is_whole(timeline: &Value) -> bool {
    let items = timeline["items"].as_array().into_iter().flatten();
    let told: Vec<&str> = items.filter_map(|item| item["name"].as_str()).collect();
    let once = |event: &&str| told.iter().filter(|name| *name == event).count() == 1;
    OF_OTHERS.iter().chain(&["order.cancelled"]).all(once)
}

/// The name of the item that a line of a stream tells, where another context did it.
fn name_from_elsewhere(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(r#""context":""#)?;
    let (context, rest) = rest.split_once('"')?;
    let (_, rest) = rest.split_once(r#""name":""#)?;
    let (name, _) = rest.split_once('"')?;
    (context != "order").then_some(name)
}

fn of_another_context(event: &str) -> bool {
    event
        .lines()
        .any(|line| name_from_elsewhere(line).is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeline_is_followed_live_and_resumed() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    let lamp = shop.product("LAMP", 10).await;
    let one = path_of(&settled(&shop, &ann, &order(&[(&lamp, 1)], "pm_card_chargeDeclined")).await);
    let client = shop.client();
    client
        .until(&format!("{one}/timeline"), &ann.token, is_whole)
        .await;
    let events = format!("{one}/events");
    story.note(
        "An order that has ended tells its story, and the stream ends. (Events of other \
         contexts, left out here, are told as they came in.)",
    );
    let ask = story.get(&events).by(&ann);
    let told = ask.without(of_another_context).send().await;
    let mut others: Vec<&str> = told.text.lines().filter_map(name_from_elsewhere).collect();
    others.sort_unstable();
    assert_eq!(others, OF_OTHERS);
    let ids: Vec<&str> = told
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .collect();
    let (last, before) = ids.split_last().expect("a story");
    story.note("Behind the last but one there is one to tell, and behind the last none.");
    for id in [before.last().expect("another"), last] {
        let ask = story.get(&events).by(&ann);
        ask.header("last-event-id", id).send().await;
    }
    story.note("What is no id of an event; and for others it is not there.");
    let ask = story.get(&events).by(&ann);
    ask.header("last-event-id", "yesterday").send().await;
    story.get(&events).by(&ben).send().await;
    story.get(&events).send().await;
    story
        .get(format!("{ORDERS}/{NONE}/events"))
        .by(&ann)
        .send()
        .await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_instrument_leads_to_its_end() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let lamp = shop.product("LAMP", 20).await;
    let part = |order: &Value| {
        json!({
            "status": order["status"],
            "payment": order["payment"]["status"],
            "shipment": order["shipment"]["status"],
            "cancellation": order["cancellation"],
        })
    };
    for method in [
        "pm_card_visa",
        "pm_card_chargeDeclined",
        "pm_card_chargeDeclinedInsufficientFunds",
        "pm_sim_flaky",
        "pm_sim_timeout",
    ] {
        let ask = story
            .post(ORDERS)
            .by(&ann)
            .json(&order(&[(&lamp, 1)], method));
        let ask = ask.header("prefer", "wait=30").showing(part);
        ask.send().await;
    }
    story.note("Carriers, too, refuse or fail for a while.");
    for code in ["00000", "99999"] {
        let mut body = order(&[(&lamp, 1)], "pm_card_visa");
        body["shipping_address"] = address(code);
        let ask = story.post(ORDERS).by(&ann).json(&body);
        let ask = ask.header("prefer", "wait=30").showing(part);
        ask.send().await;
    }
    story.note("While the gateway is away, the payment waits in its queue.");
    let body = order(&[(&lamp, 1)], "pm_sim_unavailable");
    let ask = story.post(ORDERS).by(&ann).json(&body);
    let away = ask.showing(part).send().await;
    let of_order = format!("/api/v1/payments?order_id={}", away.id());
    let queued = |page: &Value| page["items"][0]["status"] == "queued";
    let payment = |page: &Value| {
        let payment = &page["items"][0];
        json!({"status": payment["status"], "failure": payment["failure"], "transactions": payment["transactions"]})
    };
    let ask = story.get(&of_order).by(&ann).until(queued);
    ask.showing(payment).send().await;
    let cancel = format!("{ORDERS}/{}/cancel", away.id());
    story.post(cancel).by(&admin).showing(part).send().await;
    story.note("What was never charged is called off.");
    story.get(of_order).by(&ann).showing(payment).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_gateway_is_waited_for() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let lamp = shop.product("LAMP", 20).await;
    story
        .post(ORDERS)
        .by(&ann)
        .header("prefer", "wait=30")
        .json(&order(&[(&lamp, 1)], "pm_sim_slow"))
        .send()
        .await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_time_is_over_is_cancelled() {
    let shop = shop_with(&[("inventory.reservation_ttl", "1s")]).await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let lamp = shop.product("LAMP", 20).await;
    let body = order(&[(&lamp, 1)], "pm_sim_unavailable");
    let made = shop.client().post(ORDERS, &ann.token, &body).await;
    let path = path_of(&made.body);
    let cancelled = |order: &Value| order["status"] == "cancelled";
    story.get(&path).by(&ann).until(cancelled).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_nobody_can_price_is_not_taken() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await.at_one_front();
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let lamp = shop.product("LAMP", 20).await;
    let breaker = "/api/v1/ops/breakers/order.inventory";
    let hold = |state: &str| json!({"state": state});
    let client = shop.client().at_one_front();
    client
        .post(breaker, &admin.token, &hold("forced_open"))
        .await;
    let body = order(&[(&lamp, 1)], "pm_card_visa");
    story.post(ORDERS).by(&ann).json(&body).send().await;
    assert_snapshot!(story.text());
    client.post(breaker, &admin.token, &hold("auto")).await;
    shop.close().await;
}
