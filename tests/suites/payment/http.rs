//! The public API of payments.

use cleave_tests::staging::Stage;
use std::sync::atomic::Ordering;

use cleave_payment_contract::port::ChargeOrder;
use cleave_tests::api::{Api, Told};
use cleave_tests::snapshots::masked;
use cleave_vocabulary::UserId;
use cleave_web::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::fixture::{Fixture, gbp, refused, unknown, user};

fn stranger() -> UserId {
    "usr_0000000000000000000000000k".parse().expect("an id")
}

async fn get(api: &Api, path: &str) -> Told {
    api.get(path).caller(user(), Role::Customer).send().await
}

/// Asks for a refund, as an admin does.
async fn give(api: &Api, payment: &str, body: &Value, key: Option<&str>) -> Told {
    let ask = api.post(&format!("/api/v1/payments/{payment}/refunds"));
    let ask = ask.caller(stranger(), Role::Admin).json(body);
    match key {
        Some(key) => ask.key(key).send().await,
        None => ask.send().await,
    }
}

async fn charged(f: &Fixture) -> (ChargeOrder, String) {
    let command = f.command("pm_card_visa");
    let charged = f.charge(&command).await.expect("charged");
    (command, charged.payment_id.to_string())
}

#[tokio::test]
async fn its_owner_sees_a_payment() {
    let f = Fixture::new().await;
    let (_, id) = charged(&f).await;
    let told = get(&f.api(), &format!("/api/v1/payments/{id}"))
        .await
        .expect(200);
    assert_eq!(told.header("etag"), "\"2\"");
    assert_json_snapshot!("a_completed_payment", masked(&told.json));
    let again = f.api().get(&format!("/api/v1/payments/{id}"));
    let again = again.caller(user(), Role::Customer).if_none_match("\"2\"");
    again.send().await.expect(304);
}

#[tokio::test]
async fn a_payment_that_failed_says_why() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_chargeDeclined");
    assert_eq!(refused(f.charge(&command).await), "payment_declined");
    let path = format!("/api/v1/payments?order_id={}", command.order_id);
    let told = get(&f.api(), &path).await.expect(200);
    assert_json_snapshot!("a_failed_payment", masked(&told.json));
}

#[tokio::test]
async fn somebody_elses_payment_does_not_exist() {
    let f = Fixture::new().await;
    let (command, id) = charged(&f).await;
    let (api, path) = (f.api(), format!("/api/v1/payments/{id}"));
    let ask = |path: &str, who, role| api.get(path).caller(who, role).send();
    let told = ask(&path, stranger(), Role::Customer).await;
    assert_eq!(told.problem(404), "not_found");
    let of_order = format!("/api/v1/payments?order_id={}", command.order_id);
    let told = ask(&of_order, stranger(), Role::Customer).await.expect(200);
    assert_eq!(told.json["items"], json!([]));

    ask(&path, stranger(), Role::Admin).await.expect(200);
    let told = ask(&of_order, stranger(), Role::Admin).await.expect(200);
    assert_eq!(told.json["items"][0]["id"], json!(id));

    assert_eq!(api.get(&path).send().await.problem(401), "unauthorized");
    let nowhere = "/api/v1/payments/pay_00000000000000000000000000";
    assert_eq!(get(&api, nowhere).await.problem(404), "not_found");
    assert_eq!(
        get(&api, "/api/v1/payments/7").await.problem(404),
        "not_found"
    );
}

#[tokio::test]
async fn payments_are_listed_newest_first_in_pages_that_stay() {
    let f = Fixture::new().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, charged(&f).await.1);
    }
    let tombstone = f.command("pm_card_visa");
    f.refund(&tombstone).await.expect("nothing to give back");
    let api = f.api();
    let first = get(&api, "/api/v1/payments?limit=2").await.expect(200);
    charged(&f).await;
    let cursor = first.text("next_cursor").to_owned();
    let next = format!("/api/v1/payments?limit=100&cursor={cursor}");
    let rest = get(&api, &next).await.expect(200);
    assert_eq!(rest.json["next_cursor"], Value::Null);
    assert_eq!([first.ids(), rest.ids()].concat(), made);
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let f = Fixture::new().await;
    for (query, field) in [
        ("order_id=7", "order_id"),
        ("limit=0", "limit"),
        ("cursor=7", "cursor"),
    ] {
        let told = get(&f.api(), &format!("/api/v1/payments?{query}")).await;
        assert_eq!(told.json["errors"][0]["field"], field);
        assert_eq!(told.problem(422), "validation_failed");
    }
}

#[tokio::test]
async fn money_is_given_back_in_parts_and_no_more_than_was_taken() {
    let f = Fixture::new().await;
    let (command, id) = charged(&f).await;
    let api = f.api();
    let part = json!({"amount": {"amount": 400, "currency": "GBP"}, "reason": "damaged"});
    let told = give(&api, &id, &part, None).await.expect(201);
    assert_json_snapshot!("a_refund", masked(&told.json));
    assert_eq!(f.status(command.order_id).await, "partially_refunded");

    let much = json!({"amount": {"amount": 601, "currency": "GBP"}, "reason": "more"});
    let told = give(&api, &id, &much, None).await;
    assert_json_snapshot!("more_than_is_left", masked(&told.json));
    assert_eq!(told.problem(409), "refund_exceeds_charge");

    let rest = json!({"reason": "the rest"});
    let told = give(&api, &id, &rest, None).await.expect(201);
    assert_eq!(told.json["amount"], json!(gbp(600)));
    let told = give(&api, &id, &rest, None).await;
    assert_eq!(told.problem(409), "refund_exceeds_charge");

    let told = get(&api, &format!("/api/v1/payments/{id}"))
        .await
        .expect(200);
    assert_json_snapshot!("a_refunded_payment", masked(&told.json));
    assert_eq!(
        f.events().await,
        ["payment.completed", "payment.refunded", "payment.refunded"]
    );
    f.audit().await;
}

#[tokio::test]
async fn only_an_admin_gives_money_back() {
    let f = Fixture::new().await;
    let (_, id) = charged(&f).await;
    let path = format!("/api/v1/payments/{id}/refunds");
    let (api, body) = (f.api(), json!({"reason": "please"}));
    let mine = api.post(&path).caller(user(), Role::Customer).json(&body);
    assert_eq!(mine.send().await.problem(403), "forbidden");
    let nobody = api.post(&path).json(&body).send().await;
    assert_eq!(nobody.problem(401), "unauthorized");
    let nowhere = "pay_00000000000000000000000000";
    let told = give(&api, nowhere, &body, None).await;
    assert_eq!(told.problem(404), "not_found");
    assert_eq!(f.gateway.refunds.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_a_refund_must_say_is_checked() {
    let f = Fixture::new().await;
    let (_, id) = charged(&f).await;
    let money = |amount: i64, currency: &str| json!({"amount": amount, "currency": currency});
    for (body, field) in [
        (json!({}), "reason"),
        (json!({"reason": ""}), "reason"),
        (json!({"reason": "x".repeat(501)}), "reason"),
        (json!({"reason": "x", "note": "y"}), "note"),
        (
            json!({"reason": "x", "amount": money(0, "GBP")}),
            "amount.amount",
        ),
        (
            json!({"reason": "x", "amount": money(-5, "GBP")}),
            "amount.amount",
        ),
        (
            json!({"reason": "x", "amount": money(5, "EUR")}),
            "amount.currency",
        ),
    ] {
        let told = give(&f.api(), &id, &body, None).await;
        assert_eq!(told.json["errors"][0]["field"], field, "{body}");
        assert_eq!(told.problem(422), "validation_failed");
    }
    f.audit().await;
}

#[tokio::test]
async fn a_payment_that_is_not_settled_has_nothing_to_give_back_yet() {
    let f = Fixture::new().await;
    let command = f.command("pm_card_visa");
    f.gateway.gate.set(Stage::Away);
    assert!(!unknown(f.charge(&command).await));
    let of_order = format!("/api/v1/payments?order_id={}", command.order_id);
    let told = get(&f.api(), &of_order).await.expect(200);
    let id = told.json["items"][0]["id"].as_str().expect("an id");
    let told = give(&f.api(), id, &json!({"reason": "x"}), None).await;
    assert_eq!(told.problem(409), "payment_not_settled");
}

#[tokio::test]
async fn a_repeated_request_gives_back_once() {
    let f = Fixture::new().await;
    let (_, id) = charged(&f).await;
    let (api, key) = (f.api(), Some("k-1"));
    let part = json!({"amount": {"amount": 400, "currency": "GBP"}, "reason": "damaged"});
    let first = give(&api, &id, &part, key).await.expect(201);
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = give(&api, &id, &part, key).await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json, first.json);

    let other = json!({"reason": "the rest"});
    let told = give(&api, &id, &other, key).await;
    assert_eq!(told.problem(422), "idempotency_key_reused");
    assert_eq!(f.gateway.refunds.load(Ordering::Relaxed), 1);

    let much = json!({"amount": {"amount": 601, "currency": "GBP"}, "reason": "more"});
    for replayed in ["", "true"] {
        let told = give(&api, &id, &much, Some("k-2")).await;
        assert_eq!(told.header("idempotency-replayed"), replayed);
        // A replay is the first answer to the letter, its correlation included.
        assert_eq!(told.status, 409);
        assert_eq!(told.json["code"], "refund_exceeds_charge");
    }
    f.audit().await;
}

#[tokio::test]
async fn a_request_that_is_repeated_after_a_crash_gives_back_once() {
    let f = Fixture::new().await;
    let (command, id) = charged(&f).await;
    let body = json!({"amount": {"amount": 400, "currency": "GBP"}, "reason": "damaged"});
    f.gateway.gate.set(Stage::AfterUndo);
    let crashing = {
        let (api, id, body) = (f.api(), id.clone(), body.clone());
        tokio::spawn(async move { give(&api, &id, &body, Some("k")).await })
    };
    f.gateway.gate.reached.notified().await;
    crashing.abort();
    assert!(crashing.await.expect_err("aborted").is_cancelled());

    f.gateway.gate.set(Stage::Open);
    let other = json!({"reason": "something else"});
    let told = give(&f.api(), &id, &other, Some("k")).await;
    assert_eq!(told.problem(422), "idempotency_key_reused");
    for replayed in ["", "true"] {
        let told = give(&f.api(), &id, &body, Some("k")).await.expect(201);
        assert_eq!(told.json["status"], "completed");
        assert_eq!(told.header("idempotency-replayed"), replayed);
    }
    let entry = f.at_gateway(&command).await.expect("taken");
    assert_eq!(entry.refunded, gbp(400));
    assert_eq!(f.status(command.order_id).await, "partially_refunded");
    f.audit().await;
}

#[tokio::test]
async fn a_refund_is_promised_while_the_gateway_is_away() {
    let mut f = Fixture::new().await;
    let (command, id) = charged(&f).await;
    f.gateway.gate.set(Stage::Away);
    let body = json!({"reason": "damaged"});
    let told = give(&f.api(), &id, &body, None).await.expect(201);
    assert_json_snapshot!("a_promised_refund", masked(&told.json));
    let told = give(&f.api(), &id, &body, None).await;
    assert_eq!(told.problem(409), "refund_exceeds_charge");
    f.audit().await;

    f.gateway.gate.set(Stage::Open);
    f.sweep_until(command.order_id, "refunded").await;
    f.audit().await;
}

#[tokio::test]
async fn requests_that_race_give_back_no_more_than_was_taken() {
    let f = Fixture::new().await;
    let (command, id) = charged(&f).await;
    let body = json!({"amount": {"amount": 400, "currency": "GBP"}, "reason": "damaged"});
    let racing = (0..8).map(|_| {
        let (api, id, body) = (f.api(), id.clone(), body.clone());
        tokio::spawn(async move { give(&api, &id, &body, None).await })
    });
    let mut statuses = Vec::new();
    for told in racing.collect::<Vec<_>>() {
        statuses.push(told.await.expect("no panic").status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 409, 409, 409, 409, 409, 409]);
    let entry = f.at_gateway(&command).await.expect("taken");
    assert_eq!(entry.refunded, gbp(800));
    f.audit().await;
}
