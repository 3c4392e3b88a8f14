//! What operators and platforms see of a shop in several processes: the whole,
//! and who did not answer.

use super::*;

async fn shop() -> (Deployment, Client, String) {
    let deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, ann, product) = customer(&deployment).await;
    ordered(&front, &ann, &product, "pm_card_visa", "paid").await;
    let admin = deployment.admin().await;
    (deployment, front, admin)
}

fn names(page: &Value, member: &str) -> Vec<String> {
    let items = page["items"].as_array().expect("a list");
    let name = |item: &Value| item[member].as_str().expect("text").to_owned();
    items.iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topology_is_told_as_it_is_now() {
    let (mut deployment, front, admin) = shop().await;
    let path = "/api/v1/ops/topology";
    let topology = front.get(path, &admin).await.body;
    let contexts = [
        "user",
        "inventory",
        "payment",
        "shipping",
        "notification",
        "order",
    ];
    assert_eq!(names(&topology, "context"), contexts);
    let version = topology["items"][0]["version"].clone();
    let payment = json!({
        "context": "payment", "process": deployment.internal(1), "transport": "http",
        "health": "ready", "version": version,
    });
    assert_eq!(topology["items"][2], payment);
    assert_eq!(topology["items"][5]["transport"], "local");
    assert!(topology.get("unanswered").is_none());
    // The other process sees the same the other way round.
    let there = deployment.client(1).get(path, &admin).await.body;
    assert_eq!(there["items"][2]["transport"], "local");
    assert_eq!(there["items"][5]["process"], deployment.internal(0));

    deployment.kill(1);
    let topology = front.get(path, &admin).await.body;
    assert_eq!(topology["unanswered"], json!(["payment"]));
    assert_eq!(topology["items"][2]["health"], "failing");
    assert_eq!(topology["items"][2]["version"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_is_ready_when_all_of_its_processes_are() {
    let (mut deployment, front, _) = shop().await;
    let ready = anonymous(&front, "/health/ready").await;
    assert_eq!(ready.status, StatusCode::OK, "{ready:?}");
    assert_eq!(
        ready.body["contexts"].as_object().expect("contexts").len(),
        6
    );
    // A process speaks for itself alone where the platform asks the process.
    let inside = Client::new(deployment.internal(1));
    let own = anonymous(&inside, "/health/ready").await;
    assert_eq!(
        own.body,
        json!({ "status": "ready", "contexts": { "payment": { "status": "ready" } } })
    );

    deployment.kill(1);
    let ready = anonymous(&front, "/health/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.body["unanswered"], json!(["payment"]));
    assert_eq!(ready.body["contexts"]["payment"]["status"], "failing");
    assert_eq!(ready.body["contexts"]["order"]["status"], "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_and_move_what_any_process_has_from_every_front() {
    let (mut deployment, front, admin) = shop().await;
    let other = deployment.client(1);
    let breakers = front.get("/api/v1/ops/breakers", &admin).await.body;
    let all = names(&breakers, "name");
    assert!(all.contains(&"order.payment".to_owned()), "{all:?}");
    assert!(
        all.iter().any(|name| name.starts_with("payment.")),
        "{all:?}"
    );
    assert!(all.is_sorted());
    assert_eq!(
        names(
            &other.get("/api/v1/ops/breakers", &admin).await.body,
            "name"
        ),
        all
    );

    // The sagas are in one process, and are read and moved through the other.
    let sagas = other.get("/api/v1/ops/sagas", &admin).await.body;
    assert_eq!(sagas, front.get("/api/v1/ops/sagas", &admin).await.body);
    let one = format!("/api/v1/ops/sagas/{}", names(&sagas, "id")[0]);
    assert_eq!(
        other.get(&one, &admin).await.body["order_id"],
        sagas["items"][0]["order_id"]
    );
    let moved = json!({ "state": "forced_open" });
    let breaker = "/api/v1/ops/breakers/order.payment";
    let reply = other.post(breaker, &admin, &moved).await;
    assert_eq!(reply.body["state"], "forced_open", "{reply:?}");
    let unknown = other
        .post("/api/v1/ops/breakers/order.luck", &admin, &moved)
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let nobody = other.send(Method::GET, &one, None, &[], None).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);

    deployment.kill(1);
    let page = front.get("/api/v1/ops/dead-letters", &admin).await.body;
    assert_eq!(page["unanswered"], json!(["payment"]));
    let known = front.get(&one, &admin).await;
    assert_eq!(known.status, StatusCode::OK);
    // Nobody can say that it does not exist.
    let unknown = front
        .post("/api/v1/ops/breakers/payment.luck", &admin, &moved)
        .await;
    assert_eq!(unknown.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_the_same_wherever_the_contexts_run() {
    let (mut deployment, front, _) = shop().await;
    let folder = tempfile::tempdir().expect("a folder");
    let alone = cleave_tests::program::run(folder.path(), &["openapi"], &[]).out;
    let alone: Value = serde_json::from_str(&alone).expect("JSON");
    for index in 0..2 {
        let gathered = anonymous(&deployment.client(index), "/api/openapi.json")
            .await
            .body;
        assert!(gathered == alone, "the documents differ");
    }
    deployment.kill(1);
    let gathered = anonymous(&front, "/api/openapi.json").await.body;
    assert_eq!(gathered["x-unanswered"], json!(["payment"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_counts_in_every_process_and_says_what_it_could_not_count() {
    let (mut deployment, front, admin) = shop().await;
    let audit = "/api/v1/ops/audit";
    let report = front.post(audit, &admin, &json!({})).await;
    assert_eq!(report.status, StatusCode::OK, "{report:?}");
    let check = |report: &Value, name: &str| {
        let checks = report["checks"].as_array().expect("checks");
        let found = checks.iter().find(|check| check["name"] == name);
        found
            .unwrap_or_else(|| panic!("no {name} in {report:#}"))
            .clone()
    };
    // The same checks in the same order, whoever is asked.
    let there = deployment
        .client(1)
        .post(audit, &admin, &json!({}))
        .await
        .body;
    let names = |report: &Value| -> Vec<Value> {
        let checks = report["checks"].as_array().expect("checks").iter();
        checks.map(|check| check["name"].clone()).collect()
    };
    assert_eq!(names(&there), names(&report.body));
    // Events of one process are looked for in the inboxes of the other, as soon as
    // its relay has written down how far it is.
    front.demand_balanced_books(&admin).await;
    let counted = async {
        let name = "every_event_is_handled_once_by_order_fulfilment";
        loop {
            let report = front.post(audit, &admin, &json!({})).await.body;
            if check(&report, name)["checked"].as_u64() > Some(0) {
                break;
            }
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(20), counted).await;
    waited.expect("events of payments are counted");

    deployment.kill(1);
    let report = front.post(audit, &admin, &json!({})).await;
    assert_eq!(report.status, StatusCode::OK, "{report:?}");
    assert_eq!(report.body["ok"], false);
    let payment = check(&report.body, "payment_could_be_counted");
    assert_eq!(payment["violations"][0]["subject"], "payment");
    let events = check(&report.body, "events_could_be_counted").to_string();
    let internal = deployment.internal(1);
    let port = internal.rsplit(':').next().expect("a port");
    assert!(!events.contains(port), "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_does_not_wait_for_a_process_that_hangs() {
    let (deployment, front, admin) = shop().await;
    let id = deployment.program(1).id().to_string();
    let mut hang = std::process::Command::new("kill");
    let hung = hang.args(["-STOP", &id]).status();
    assert!(hung.is_ok_and(|status| status.success()));
    for path in [
        "/api/v1/ops/sagas",
        "/api/v1/ops/dead-letters",
        "/api/v1/ops/breakers",
    ] {
        let page = front.get(path, &admin);
        let page = tokio::time::timeout(std::time::Duration::from_secs(4), page).await;
        let page = page.expect("in time");
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        assert_eq!(page.body["unanswered"], json!(["payment"]), "{path}");
    }
    let unknown = "/api/v1/ops/sagas/sga_00000000000000000000000000";
    let unknown = front.get(unknown, &admin);
    let unknown = tokio::time::timeout(std::time::Duration::from_secs(4), unknown).await;
    let status = unknown.expect("in time").status;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}
