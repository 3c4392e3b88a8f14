//! The public API of shipments.

use std::time::Duration;

use cleave_tests::api::{Api, Told};
use cleave_tests::snapshots::masked;
use cleave_vocabulary::UserId;
use cleave_web::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::fixture::{Fixture, impatient, refused, user};
use super::rounds::make_rounds;

fn stranger() -> UserId {
    "usr_0000000000000000000000000k".parse().expect("an id")
}

async fn get(api: &Api, path: &str) -> Told {
    api.get(path).caller(user(), Role::Customer).send().await
}

/// Moves a shipment, as an admin does.
async fn step(api: &Api, shipment: &str, way: &str) -> Told {
    let ask = api.post(&format!("/api/v1/shipments/{shipment}/{way}"));
    ask.caller(stranger(), Role::Admin).send().await
}

async fn scheduled(f: &Fixture) -> String {
    let scheduled = f.schedule(&f.command("N1 7AA")).await.expect("scheduled");
    scheduled.shipment_id.to_string()
}

/// A carrier that comes only when an admin says so.
async fn by_hand() -> Fixture {
    let mut settings = impatient();
    settings.simulated.pickup_after = None;
    settings.simulated.deliver_after = None;
    Fixture::with(settings).await
}

#[tokio::test]
async fn its_owner_sees_a_shipment() {
    let f = Fixture::new().await;
    let id = scheduled(&f).await;
    let told = get(&f.api(), &format!("/api/v1/shipments/{id}"))
        .await
        .expect(200);
    assert_eq!(told.header("etag"), "\"1\"");
    assert_json_snapshot!("a_scheduled_shipment", masked(&told.json));
    let again = f.api().get(&format!("/api/v1/shipments/{id}"));
    let again = again.caller(user(), Role::Customer).if_none_match("\"1\"");
    again.send().await.expect(304);
}

#[tokio::test]
async fn somebody_elses_shipment_does_not_exist() {
    let f = Fixture::new().await;
    let command = f.command("N1 7AA");
    let id = f.schedule(&command).await.expect("scheduled").shipment_id;
    let (api, path) = (f.api(), format!("/api/v1/shipments/{id}"));
    let ask = |path: &str, who, role| api.get(path).caller(who, role).send();
    let told = ask(&path, stranger(), Role::Customer).await;
    assert_eq!(told.problem(404), "not_found");
    let of_order = format!("/api/v1/shipments?order_id={}", command.order_id);
    let told = ask(&of_order, stranger(), Role::Customer).await.expect(200);
    assert_eq!(told.json["items"], json!([]));
    let told = ask(&of_order, user(), Role::Customer).await.expect(200);
    assert_eq!(told.json["items"][0]["id"], json!(id));

    ask(&path, stranger(), Role::Admin).await.expect(200);
    assert_eq!(api.get(&path).send().await.problem(401), "unauthorized");
    let nowhere = "/api/v1/shipments/shp_00000000000000000000000000";
    assert_eq!(get(&api, nowhere).await.problem(404), "not_found");
}

#[tokio::test]
async fn shipments_are_listed_newest_first_in_pages_that_stay() {
    let f = Fixture::new().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, scheduled(&f).await);
    }
    let refusal = f.schedule(&f.command("00000")).await;
    assert_eq!(refused(refusal), "shipping_refused");
    f.cancel(&f.command("N1 7AA")).await.expect("a tombstone");
    let api = f.api();
    let first = get(&api, "/api/v1/shipments?limit=2").await.expect(200);
    scheduled(&f).await;
    let cursor = first.text("next_cursor").to_owned();
    let next = format!("/api/v1/shipments?limit=100&cursor={cursor}");
    let rest = get(&api, &next).await.expect(200);
    assert_eq!(rest.json["next_cursor"], Value::Null);
    assert_eq!([first.ids(), rest.ids()].concat(), made);
    let told = get(&api, "/api/v1/shipments?order_id=7").await;
    assert_eq!(told.problem(422), "validation_failed");
}

#[tokio::test]
async fn an_admin_moves_a_shipment_to_its_end() {
    let f = by_hand().await;
    let (id, api) = (scheduled(&f).await, f.api());
    let told = step(&api, &id, "deliver").await;
    assert_json_snapshot!("not_delivered_before_dispatched", masked(&told.json));
    assert_eq!(told.problem(409), "invalid_transition");

    let told = step(&api, &id, "dispatch").await.expect(200);
    assert_eq!(told.json["status"], "in_transit");
    assert_eq!(told.header("etag"), "\"2\"");
    let told = step(&api, &id, "dispatch").await;
    assert_eq!(told.problem(409), "invalid_transition");

    let told = step(&api, &id, "deliver").await.expect(200);
    assert_json_snapshot!("a_delivered_shipment", masked(&told.json));
    for way in ["dispatch", "deliver"] {
        let told = step(&api, &id, way).await;
        assert_eq!(told.problem(409), "invalid_transition");
    }
    assert_eq!(
        f.events().await,
        [
            "shipment.scheduled",
            "shipment.dispatched",
            "shipment.delivered"
        ]
    );
    f.audit().await;
}

#[tokio::test]
async fn what_was_cancelled_is_not_dispatched() {
    let f = by_hand().await;
    let command = f.command("N1 7AA");
    let id = f.schedule(&command).await.expect("scheduled").shipment_id;
    f.cancel(&command).await.expect("cancelled");
    let told = step(&f.api(), &id.to_string(), "dispatch").await;
    assert_eq!(told.problem(409), "invalid_transition");
}

#[tokio::test]
async fn what_an_admin_dispatched_is_delivered_in_its_time() {
    let mut settings = impatient();
    settings.simulated.pickup_after = None;
    let f = Fixture::with(settings).await;
    let command = f.command("N1 7AA");
    let id = f.schedule(&command).await.expect("scheduled").shipment_id;
    step(&f.api(), &id.to_string(), "dispatch")
        .await
        .expect(200);
    make_rounds(&f, Duration::from_secs(5)).await;
    assert_eq!(f.status(command.order_id).await, "delivered");
    f.audit().await;
}

#[tokio::test]
async fn only_an_admin_moves_a_shipment() {
    let f = Fixture::new().await;
    let (id, api) = (scheduled(&f).await, f.api());
    for way in ["dispatch", "deliver"] {
        let path = format!("/api/v1/shipments/{id}/{way}");
        let mine = api.post(&path).caller(user(), Role::Customer);
        assert_eq!(mine.send().await.problem(403), "forbidden");
        assert_eq!(api.post(&path).send().await.problem(401), "unauthorized");
        let told = step(&api, "shp_00000000000000000000000000", way).await;
        assert_eq!(told.problem(404), "not_found");
    }
    assert_eq!(f.events().await, ["shipment.scheduled"]);
}

#[tokio::test]
async fn a_repeated_request_moves_once() {
    let f = by_hand().await;
    let (id, api) = (scheduled(&f).await, f.api());
    let dispatch = || {
        let ask = api.post(&format!("/api/v1/shipments/{id}/dispatch"));
        ask.caller(stranger(), Role::Admin).key("k").send()
    };
    let first = dispatch().await.expect(200);
    let again = dispatch().await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(again.json, first.json);
    assert_eq!(
        f.events().await,
        ["shipment.scheduled", "shipment.dispatched"]
    );
}
