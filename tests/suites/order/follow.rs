//! The story of an order, live: Server-Sent Events.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::response::Response;
use cleave_vocabulary::OrderId;
use cleave_web::{Caller, Identity, Role};
use futures::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::shop::{Gate, Then};
use super::world::{World, body, held_at, id_of};

/// An open stream.
struct Stream {
    body: BodyDataStream,
    read: String,
}

/// One event: its id, and its item.
type Told = (String, Value);

async fn open(world: &World, id: OrderId, last: Option<&str>) -> Response {
    let mut request = Request::get(format!("/api/v1/orders/{id}/events"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let mut request = request.body(Body::empty()).expect("a request");
    request.extensions_mut().insert(Identity::Known(Caller {
        user: world.customer,
        role: Role::Customer,
        session: "ses_test".to_owned(),
    }));
    world
        .routes
        .clone()
        .oneshot(request)
        .await
        .expect("infallible")
}

impl Stream {
    async fn of(world: &World, id: OrderId, last: Option<&str>) -> Self {
        let response = open(world, id, last).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            read: String::new(),
        }
    }

    /// The next event; none at the stream's end. Comments keep it alive and say nothing.
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::trim)
                };
                if let (Some(id), Some(data)) = (field("id:"), field("data:")) {
                    return Some((id.to_owned(), serde_json::from_str(data).expect("JSON")));
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.body.next()).await;
            let chunk = chunk.expect("something is said in time")?.expect("a body");
            self.read
                .push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    async fn until(&mut self, awaited: impl Fn(&Value) -> bool) -> Vec<Told> {
        let mut told = Vec::new();
        while let Some(next) = self.next().await {
            let last = awaited(&next.1);
            told.push(next);
            if last {
                break;
            }
        }
        told
    }

    async fn rest(&mut self) -> Vec<Told> {
        self.until(|_| false).await
    }
}

fn items(told: &[Told]) -> Vec<Value> {
    told.iter().map(|(_, item)| item.clone()).collect()
}

async fn whole(world: &World, id: OrderId) -> Vec<Value> {
    let path = format!("/api/v1/orders/{id}/timeline");
    let story = world.get(&path).send().await.expect(200).json;
    story["items"].as_array().expect("items").clone()
}

/// An order that has arrived, with everything heard.
async fn delivered(world: &World) -> OrderId {
    let tea = world.shop.sells("TEA", 450, 10);
    let id = id_of(&world.place_and_wait(&body(&[(tea, 2)])).await);
    world.shop.heard().await;
    world.shop.dispatch(id).await;
    world.shop.deliver(id).await;
    id
}

#[tokio::test]
async fn the_story_is_told_as_it_happens_and_ends_with_the_order() {
    let world = World::open().await;
    let gate = Gate::new();
    world.shop.script("charge", [Then::Wait(gate.clone())]);
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    let mut stream = Stream::of(&world, id, None).await;
    let begun = |name: &'static str| {
        move |item: &Value| item["name"] == name && item["outcome"] == "started"
    };
    let mut told = stream.until(begun("process_payment")).await;
    gate.open();
    told.extend(
        stream
            .until(|item| item["name"] == "shipment.scheduled")
            .await,
    );
    world.shop.heard().await;
    world.shop.dispatch(id).await;
    told.extend(stream.until(|item| item["name"] == "order.shipped").await);
    world.shop.deliver(id).await;
    told.extend(stream.rest().await);
    // The same items; those of other contexts where they were heard of.
    let sorted = |items: Vec<Value>| {
        let mut items: Vec<_> = items
            .into_iter()
            .map(|mut item| {
                item["at"] = Value::Null;
                item.to_string()
            })
            .collect();
        items.sort();
        items
    };
    assert_eq!(sorted(items(&told)), sorted(whole(&world, id).await));
    let mut ids: Vec<_> = told.iter().map(|(id, _)| id.clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), told.len(), "each event has an id of its own");
    world.close().await;
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_where_it_stopped() {
    let world = World::open().await;
    let id = delivered(&world).await;
    let told = Stream::of(&world, id, None).await.rest().await;
    assert_eq!(items(&told).len(), whole(&world, id).await.len());
    for (read, (last, _)) in told.iter().enumerate() {
        let rest = &told[read + 1..];
        if rest.is_empty() {
            let over = open(&world, id, Some(last)).await;
            assert_eq!(over.status(), 204, "there is no more to come");
        } else {
            let resumed = Stream::of(&world, id, Some(last)).await.rest().await;
            assert_eq!(resumed, rest, "behind {last}");
        }
    }
    world.close().await;
}

#[tokio::test]
async fn many_may_follow_one_order() {
    let world = World::open().await;
    let gate = Gate::new();
    world.shop.script("reserve", [Then::Wait(gate.clone())]);
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(Stream::of(&world, id, None).await);
    }
    gate.open();
    world.until_shipment(id).await;
    world.shop.heard().await;
    world.shop.dispatch(id).await;
    world.shop.deliver(id).await;
    let length = whole(&world, id).await.len();
    for mut stream in streams {
        assert_eq!(stream.rest().await.len(), length);
    }
    world.close().await;
}

#[tokio::test]
async fn streams_have_their_bound_and_give_their_places_back() {
    let world = World::with(|settings| settings.follow.streams = 1).await;
    let gate = Gate::new();
    world.shop.script("reserve", [Then::Wait(gate.clone())]);
    let tea = world.shop.sells("TEA", 450, 10);
    let id = world.place(&body(&[(tea, 2)])).await;
    let mut first = Stream::of(&world, id, None).await;
    first.next().await.expect("a first event");
    let path = format!("/api/v1/orders/{id}/events");
    assert_eq!(
        world.get(&path).send().await.problem(503),
        "service_unavailable"
    );
    drop(first);
    let mut second = Stream::of(&world, id, None).await;
    second.next().await.expect("a first event");
    drop(second);
    gate.open();
    world.until_shipment(id).await;
    world.close().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_process() {
    let (world, id, gate) = held_at("charge").await;
    world.quiet().await;
    let mut stream = Stream::of(&world, id, None).await;
    stream
        .until(|item| item["name"] == "inventory.reserved")
        .await;
    gate.open();
    world.until_shipment(id).await;
    world.close().await;
    stream.rest().await;
}

#[tokio::test]
async fn an_id_that_is_none_of_ours_is_refused() {
    let world = World::open().await;
    let id = delivered(&world).await;
    let path = format!("/api/v1/orders/{id}/events");
    for last in ["7", "1-2", "a-b-c"] {
        let told = world
            .get(&path)
            .header("last-event-id", last)
            .send()
            .await
            .expect(422);
        assert_eq!(told.json["errors"][0]["field"], json!("Last-Event-ID"));
    }
    world.close().await;
}
