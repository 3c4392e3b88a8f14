//! What a process asks of others for no context of its own, and the guards before that.

use super::*;

const BREAKERS: &str = "/api/v1/ops/breakers";

/// Moves a breaker from the front, wherever it is.
async fn hold(front: &Client, admin: &str, name: &str, state: &str) {
    let path = format!("{BREAKERS}/{name}");
    let reply = front.post(&path, admin, &json!({ "state": state })).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert!(reply.body.get("unanswered").is_none(), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_asked_for_behind_a_guard_in_every_process_without_the_user_context() {
    let parts = ["user,inventory,shipping,order", "payment", "notification"];
    let deployment = Deployment::start(&parts, &[]).await;
    let (front, admin) = (deployment.front(), deployment.admin().await);
    for index in 0..parts.len() {
        let list = deployment.client(index).get(BREAKERS, &admin).await.body;
        let items = list["items"].as_array().expect("items");
        let mut found = items.iter().filter(|item| item["name"] == "gateway.user");
        // Both have asked: to operators it is one guard.
        let calls = found.next().expect("its guard")["calls"].as_u64();
        assert!(calls >= Some(2), "{list:#}");
        assert!(found.next().is_none(), "{list:#}");
    }
    let keys = async |index: usize| {
        let path = "/.well-known/jwks.json";
        anonymous(&deployment.client(index), path).await.status
    };
    hold(&front, &admin, "gateway.user", "forced_open").await;
    assert_eq!(keys(0).await, StatusCode::OK);
    assert_eq!(keys(1).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(keys(2).await, StatusCode::SERVICE_UNAVAILABLE);
    // Whoever has the keys goes on with them.
    let list = deployment.client(1).get(BREAKERS, &admin).await;
    assert_eq!(list.status, StatusCode::OK);
    hold(&front, &admin, "gateway.user", "auto").await;
    assert_eq!(keys(1).await, StatusCode::OK);
    assert_eq!(keys(2).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_asks_each_context_behind_a_guard_of_its_own() {
    let deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, admin) = (deployment.front(), deployment.admin().await);
    let missing = async || {
        let report = front.post("/api/v1/ops/audit", &admin, &json!({})).await;
        let checks = report.body["checks"].as_array().expect("checks").clone();
        let missing = checks.into_iter().filter(|check| {
            let name = check["name"].as_str().expect("a name");
            name.ends_with("_could_be_counted")
        });
        missing.collect::<Vec<Value>>()
    };
    assert_eq!(missing().await, Vec::<Value>::new());
    let list = front.get(BREAKERS, &admin).await.body;
    let items = list["items"].as_array().expect("items");
    let mut before = items
        .iter()
        .filter(|item| item["name"] == "gateway.audit.payment");
    let before = before.next().expect("its guard");
    assert!(before["calls"].as_u64() >= Some(2), "{list:#}");
    assert_eq!(before["failures"], 0, "{list:#}");

    hold(&front, &admin, "gateway.audit.payment", "forced_open").await;
    let said = missing().await;
    assert_eq!(said[0]["name"], "payment_could_be_counted", "{said:?}");
    let why = said[0]["violations"][0]["detail"].as_str();
    assert!(
        why.is_some_and(|why| why.contains("breaker is open")),
        "{said:?}"
    );
    // It was the front's question alone.
    let there = deployment.client(1);
    let report = there.post("/api/v1/ops/audit", &admin, &json!({})).await;
    assert_eq!(report.body["ok"], true, "{report:?}");
    hold(&front, &admin, "gateway.audit.payment", "auto").await;
    assert_eq!(missing().await, Vec::<Value>::new());
}
