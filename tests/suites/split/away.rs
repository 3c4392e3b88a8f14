//! A process that is away, and comes back.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_is_away_is_a_503_while_all_others_answer_and_orders_wait_for_it() {
    let mut deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, ann, product) = customer(&deployment).await;
    ordered(&front, &ann, &product, "pm_card_visa", "paid").await;
    let internal = deployment.internal(1);
    let port = internal.rsplit(':').next().expect("a port").to_owned();
    deployment.kill(1);

    let away = front.get("/api/v1/payments", &ann).await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(away.body["code"], "service_unavailable");
    assert_eq!(away.headers["retry-after"], "1");
    assert!(!away.body.to_string().contains(&port), "{}", away.body);
    for path in [
        "/api/v1/orders",
        "/api/v1/shipments",
        "/api/v1/inventory/products",
        "/api/v1/users/me",
    ] {
        assert_eq!(front.get(path, &ann).await.status, StatusCode::OK, "{path}");
    }

    deployment.restart(1).await;
    let wanted = |page: &Value| page["items"].is_array();
    front.until("/api/v1/payments", &ann, wanted).await;
    ordered(&front, &ann, &product, "pm_card_visa", "paid").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_payment_context_goes_away_is_paid_when_it_is_back() {
    let mut deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, ann, product) = customer(&deployment).await;
    // Takes two seconds at the gateway: long enough to be cut in the middle.
    let body = order(&[(&product, 1)], "pm_sim_slow");
    let made = front.post("/api/v1/orders", &ann, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let path = format!(
        "/api/v1/orders/{}",
        made.body["id"].as_str().expect("an id")
    );
    front
        .until(&path, &ann, |order| order["status"] == "confirmed")
        .await;
    deployment.kill(1);
    deployment.restart(1).await;
    let order = front
        .until(&path, &ann, |order| order["status"] == "paid")
        .await;
    let payments = format!(
        "/api/v1/payments?order_id={}",
        order["id"].as_str().expect("an id")
    );
    let completed = |page: &Value| page["items"][0]["status"] == "completed";
    let page = front.until(&payments, &ann, completed).await;
    let transactions = page["items"][0]["transactions"].as_array().expect("a list");
    let charges = transactions
        .iter()
        .filter(|it| it["kind"] == "charge" && it["status"] == "completed");
    assert_eq!(charges.count(), 1, "{transactions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_stopped_ends_in_good_order_under_its_callers_connections() {
    let mut deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, ann, product) = customer(&deployment).await;
    ordered(&front, &ann, &product, "pm_card_visa", "paid").await;
    let log = deployment.stop(1);
    assert!(log.contains("stopped"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_a_wrong_address_says_unavailable_and_not_that_nothing_is_there() {
    let deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (_, ann, _) = customer(&deployment).await;
    // There is a process, and payments are not in it.
    let wrong = [("TOPOLOGY__PAYMENT", &*deployment.internal(0))];
    let gateway = deployment.gateway(&wrong).await;
    let client = Client::new(gateway.url());
    let known = |page: &Value| page["items"].is_array();
    client.until("/api/v1/orders", &ann, known).await;
    for path in ["/api/v1/payments", "/api/v1/payments/pay_x"] {
        let away = client.get(path, &ann).await;
        assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE, "{away:?}");
        assert_eq!(away.body["code"], "service_unavailable");
        assert_eq!(away.headers["retry-after"], "1");
    }
    // Whoever runs it is told which setting it is.
    let told = async {
        while !gateway
            .log()
            .contains("set topology.payment to the base URL")
        {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let told = tokio::time::timeout(std::time::Duration::from_secs(30), told).await;
    assert!(told.is_ok(), "{}", gateway.log());
}
