//! `/api/v1/ops`: for admins alone. What differs from one deployment to the next
//! (which breakers a process has, where a context runs) is looked at, not shown.

use cleave_tests::shop::{Shop, order};
use cleave_tests::story::{Somebody, Story};
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};

use super::{NO_ORDER, errors, saga_of, shop, until_it_waits};

const OPS: &str = "/api/v1/ops";
/// Well-formed ids of nothing.
const NONE: &str = "sga_00000000000000000000000000";

/// An order of one, paid so, once its fulfilment has settled or waits.
async fn ordered(shop: &Shop, who: &Somebody, product: &str, method: &str) -> String {
    let body = order(&[(product, 1)], method);
    let client = shop.client();
    let made = client.post("/api/v1/orders", &who.token, &body).await;
    let id = made.body["id"].as_str().expect("an id").to_owned();
    let rests = |page: &Value| {
        let status = page["items"][0]["status"].as_str().unwrap_or_default();
        ["waiting", "completed", "compensated"].contains(&status)
    };
    let path = format!("{OPS}/sagas?order_id={id}");
    client.until(&path, &shop.admin, rests).await;
    id
}

fn statuses(page: &Value) -> Value {
    let items = page["items"].as_array().into_iter().flatten();
    let items = items.map(|it| json!({"order_id": it["order_id"], "status": it["status"]}));
    json!({"items": items.collect::<Value>(), "next_cursor": page["next_cursor"]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sagas_tell_how_their_steps_went() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let product = shop.product("LAMP", 10).await;
    let done = ordered(&shop, &ann, &product, "pm_card_visa").await;
    let undone = ordered(&shop, &ann, &product, "pm_card_chargeDeclined").await;
    let done = saga_of(&shop, &done).await;
    let told = story.get(&done).by(&admin).send().await;
    story
        .get(&done)
        .by(&admin)
        .header("if-none-match", told.header("etag"))
        .send()
        .await;
    story
        .get(saga_of(&shop, &undone).await)
        .by(&admin)
        .send()
        .await;
    story.note("Newest first, by status, by order.");
    let page = story.get(format!("{OPS}/sagas?limit=1"));
    let page = page.by(&admin).showing(statuses).send().await;
    let cursor = page.body["next_cursor"].as_str().expect("there is more");
    for query in [
        format!("limit=1&cursor={cursor}"),
        "status=completed".to_owned(),
        "status=stuck".to_owned(),
        format!("order_id={undone}"),
        format!("order_id={NO_ORDER}"),
    ] {
        let path = format!("{OPS}/sagas?{query}");
        story.get(path).by(&admin).showing(statuses).send().await;
    }
    story.note("What is no status, what is no id, and what is not there.");
    for query in ["status=lost", "order_id=7"] {
        let path = format!("{OPS}/sagas?{query}");
        let ask = story.get(path).by(&admin);
        ask.showing(errors).send().await;
    }
    for id in [NONE, "7"] {
        story
            .get(format!("{OPS}/sagas/{id}"))
            .by(&admin)
            .send()
            .await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saga_that_waits_is_taken_up() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let product = shop.product("LAMP", 10).await;
    let order = ordered(&shop, &ann, &product, "pm_sim_unavailable").await;
    let saga = saga_of(&shop, &order).await;
    let part = |saga: &Value| json!({"id": saga["id"], "order_id": saga["order_id"]});
    until_it_waits(shop.client(), &saga, &admin.token).await;
    story.note("Tried again, it waits again.");
    let retry = format!("{saga}/retry");
    story.post(&retry).by(&admin).showing(part).send().await;
    until_it_waits(shop.client(), &saga, &admin.token).await;
    story.note("Undone, it ends, and so does its order.");
    let compensate = format!("{saga}/compensate");
    story
        .post(&compensate)
        .by(&admin)
        .showing(part)
        .send()
        .await;
    let undone = |saga: &Value| saga["status"] == "compensated";
    shop.client().until(&saga, &admin.token, undone).await;
    story
        .get(format!("/api/v1/orders/{order}"))
        .by(&ann)
        .showing(|order| json!({"status": order["status"], "cancellation": order["cancellation"]}))
        .send()
        .await;
    story.note("What has ended can't be taken up; nor can what is not there.");
    for path in [&retry, &compensate] {
        story.post(path).by(&admin).send().await;
    }
    for id in [NONE, "7"] {
        for verb in ["retry", "compensate"] {
            let path = format!("{OPS}/sagas/{id}/{verb}");
            story.post(path).by(&admin).send().await;
        }
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_and_those_that_are_none_refused() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let admin = shop.operator();
    let letters = format!("{OPS}/dead-letters");
    story.get(&letters).by(&admin).send().await;
    for id in ["7", "%ff", "order:nobody:evt_00000000000000000000000000"] {
        let path = format!("{letters}/{id}");
        story
            .post(format!("{path}/redrive"))
            .by(&admin)
            .send()
            .await;
        story.delete(path).by(&admin).send().await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

fn before_inventory(page: &Value) -> Value {
    let mut items = page["items"].as_array().into_iter().flatten();
    let found = items.find(|item| item["name"] == "order.inventory");
    found.cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breakers_are_shown_and_held() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await.at_one_front();
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let product = shop.product("LAMP", 10).await;
    let breakers = format!("{OPS}/breakers");
    story
        .get(&breakers)
        .by(&admin)
        .showing(before_inventory)
        .send()
        .await;
    let one = format!("{breakers}/order.inventory");
    let state = |state: &str| json!({"state": state});
    story
        .post(&one)
        .by(&admin)
        .json(&state("forced_open"))
        .send()
        .await;
    story.note("As long as it is held open, nobody is let through.");
    let body = order(&[(&product, 1)], "pm_card_visa");
    story
        .post("/api/v1/orders")
        .by(&ann)
        .json(&body)
        .send()
        .await;
    for held in ["closed", "auto"] {
        story.post(&one).by(&admin).json(&state(held)).send().await;
    }
    story.note("What no breaker can be told, and what is none.");
    for body in [
        state("ajar"),
        json!({}),
        json!({"state": "auto", "for": "1s"}),
    ] {
        let ask = story.post(&one).by(&admin).json(&body);
        ask.showing(errors).send().await;
    }
    for name in ["nobody", "%ff"] {
        let path = format!("{breakers}/{name}");
        story
            .post(path)
            .by(&admin)
            .json(&state("auto"))
            .send()
            .await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topology_and_audit_tell_how_it_stands() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ann) = (shop.operator(), shop.customer("ann").await);
    let product = shop.product("LAMP", 10).await;
    ordered(&shop, &ann, &product, "pm_card_visa").await;
    story
        .get(format!("{OPS}/topology"))
        .by(&admin)
        .showing(|topology| {
            let items = topology["items"].as_array().into_iter().flatten();
            let mut ready: Vec<String> = items
                .map(|item| format!("{} is {}", item["context"], item["health"]))
                .collect();
            ready.sort();
            // Of replicas there is a row for each.
            ready.dedup();
            json!(ready)
        })
        .send()
        .await;
    // While messages are still under way, there is more to look at from look to look.
    story
        .post(format!("{OPS}/audit"))
        .by(&admin)
        .showing(|report| {
            let checks = report["checks"].as_array().into_iter().flatten();
            let mut names: Vec<&str> = checks
                .filter(|check| check["violations"] == json!([]))
                .filter_map(|check| check["name"].as_str())
                .collect();
            names.sort_unstable();
            json!({"ok": report["ok"], "holds": names})
        })
        .send()
        .await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_for_admins_alone() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    for (method, path) in [
        (Method::GET, "sagas"),
        (Method::GET, "sagas/7"),
        (Method::POST, "sagas/7/retry"),
        (Method::POST, "sagas/7/compensate"),
        (Method::GET, "dead-letters?limit=0"),
        (Method::POST, "dead-letters/7/redrive"),
        (Method::DELETE, "dead-letters/7"),
        (Method::GET, "breakers"),
        (Method::POST, "breakers/order.inventory"),
        (Method::GET, "topology"),
        (Method::POST, "audit"),
    ] {
        let path = format!("{OPS}/{path}");
        let code = |problem: &Value| problem["code"].clone();
        let ask = story.ask(method.clone(), &path).by(&ann);
        assert_eq!(ask.showing(code).send().await.status, 403);
        let ask = story.ask(method, &path);
        assert_eq!(ask.showing(code).send().await.status, 401);
    }
    assert_snapshot!(story.text());
    shop.close().await;
}
