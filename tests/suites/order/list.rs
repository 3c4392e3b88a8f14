//! Reading orders: one, and pages of them.

use cleave_vocabulary::{IdSource, UserId, UuidV7Ids};
use cleave_web::Role;
use serde_json::Value;

use super::shop::{Gate, Then};
use super::world::{World, body, id_of};

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|order| order["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// Every page of a list, walked to its end.
async fn walk(world: &World, path: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = match &cursor {
            None => world.get(path).send().await.expect(200).json,
            Some(cursor) => {
                let path = format!("{path}&cursor={cursor}");
                world.get(&path).send().await.expect(200).json
            }
        };
        all.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return all,
        }
    }
}

#[tokio::test]
async fn ones_own_orders_are_listed_newest_first_as_soon_as_they_are_placed() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 100);
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.insert(0, world.place(&body(&[(tea, 1)])).await.to_string());
        let page = world.get("/api/v1/orders").send().await.expect(200).json;
        assert_eq!(ids(&page), placed);
        assert_eq!(page["next_cursor"], Value::Null);
    }
    for id in &placed {
        let id = id.parse().expect("an id");
        world.until_shipment(id).await;
    }
    let page = world.get("/api/v1/orders").send().await.expect(200).json;
    let one = world.order(placed[0].parse().expect("an id")).await;
    assert_eq!(
        page["items"][0], one,
        "a list shows what a look at one shows"
    );
    assert_eq!(walk(&world, "/api/v1/orders?limit=2").await, placed);
    let other = UserId::from_uuid(UuidV7Ids.uuid());
    let theirs = world
        .api
        .get("/api/v1/orders")
        .caller(other, Role::Customer)
        .send()
        .await;
    assert!(ids(&theirs.expect(200).json).is_empty());
    let admin = world
        .api
        .get("/api/v1/orders")
        .caller(other, Role::Admin)
        .send()
        .await;
    assert_eq!(ids(&admin.expect(200).json), placed);
    world.close().await;
}

#[tokio::test]
async fn pages_are_stable_while_orders_are_added() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 100);
    let mut placed = Vec::new();
    for _ in 0..4 {
        placed.insert(
            0,
            id_of(&world.place_and_wait(&body(&[(tea, 1)])).await).to_string(),
        );
    }
    let first = world
        .get("/api/v1/orders?limit=2")
        .send()
        .await
        .expect(200)
        .json;
    world.place_and_wait(&body(&[(tea, 1)])).await;
    let cursor = first["next_cursor"].as_str().expect("more");
    let path = format!("/api/v1/orders?limit=2&cursor={cursor}");
    let second = world.get(&path).send().await.expect(200).json;
    assert_eq!([ids(&first), ids(&second)].concat(), placed);
    assert_eq!(second["next_cursor"], Value::Null);
    world.close().await;
}

#[tokio::test]
async fn orders_are_found_by_status() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 100);
    let paid = id_of(&world.place_and_wait(&body(&[(tea, 1)])).await).to_string();
    world
        .shop
        .script("charge", [Then::Refuse("payment_declined", "No.")]);
    let cancelled = id_of(&world.place_and_wait(&body(&[(tea, 1)])).await).to_string();
    let gate = Gate::new();
    world.shop.script("reserve", [Then::Wait(gate.clone())]);
    let pending = world.place(&body(&[(tea, 1)])).await;
    for (status, expected) in [
        ("paid", vec![paid.clone()]),
        ("cancelled", vec![cancelled.clone()]),
        ("pending", vec![pending.to_string()]),
        ("shipped", vec![]),
    ] {
        let path = format!("/api/v1/orders?status={status}");
        let own = world.get(&path).send().await.expect(200).json;
        assert_eq!(ids(&own), expected, "{status}");
        let admin = UserId::from_uuid(UuidV7Ids.uuid());
        let all = world
            .api
            .get(&path)
            .caller(admin, Role::Admin)
            .send()
            .await
            .expect(200)
            .json;
        assert_eq!(ids(&all), expected, "{status}");
    }
    gate.open();
    world.until_shipment(pending).await;
    world.close().await;
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused() {
    let world = World::open().await;
    for (query, field) in [
        ("status=Paid", "status"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("cursor=nonsense", "cursor"),
    ] {
        let told = world
            .get(&format!("/api/v1/orders?{query}"))
            .send()
            .await
            .expect(422);
        assert_eq!(told.json["errors"][0]["field"], field);
    }
    world.close().await;
}

#[tokio::test]
async fn who_has_the_order_as_it_is_gets_it_not_again() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    let told = world.place_and_wait(&body(&[(tea, 1)])).await;
    let path = format!("/api/v1/orders/{}", told.text("id"));
    let now = world.get(&path).send().await.expect(200);
    let tag = now.header("etag").to_owned();
    world
        .get(&path)
        .if_none_match(&tag)
        .send()
        .await
        .expect(304);
    world.shop.dispatch(id_of(&told)).await;
    let changed = world
        .get(&path)
        .if_none_match(&tag)
        .send()
        .await
        .expect(200);
    assert_ne!(changed.header("etag"), tag);
    world.close().await;
}

#[tokio::test]
async fn what_is_no_order_is_not_found() {
    let world = World::open().await;
    for id in ["ord_01h455vb4pex5vsknk084sn02q", "nonsense"] {
        for path in ["", "/timeline", "/events"] {
            let told = world
                .get(&format!("/api/v1/orders/{id}{path}"))
                .send()
                .await;
            assert_eq!(told.problem(404), "not_found");
        }
        let told = world
            .post(&format!("/api/v1/orders/{id}/cancel"))
            .send()
            .await;
        assert_eq!(told.problem(404), "not_found");
    }
    world.close().await;
}
