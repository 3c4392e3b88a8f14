//! The broker is away: orders are taken, and every process tells.

use super::*;

/// The contexts whose events wait, as each front and each process tells.
async fn degraded(deployment: &Deployment, admin: &str) -> Vec<Value> {
    let mut told = Vec::new();
    for index in 0..PAYMENT_APART.len() {
        let client = deployment.client(index);
        let ready = anonymous(&client, "/health/ready").await;
        assert_eq!(ready.status, StatusCode::OK, "{ready:?}");
        assert_eq!(ready.body["status"], "ready");
        let topology = client.get("/api/v1/ops/topology", admin).await;
        let inside = Client::new(deployment.internal(index));
        let own = anonymous(&inside, "/health/ready").await;
        told.extend([ready.body, topology.body, own.body].map(|body| body["degraded"].clone()));
    }
    told
}

async fn until(deployment: &Deployment, admin: &str, wanted: &[Value]) {
    let wait = async {
        while degraded(deployment, admin).await != wanted {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let patience = std::time::Duration::from_secs(20);
    let waited = tokio::time::timeout(patience, wait).await;
    assert!(
        waited.is_ok(),
        "never {wanted:?}: {:?}",
        degraded(deployment, admin).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_told_by_every_process_while_orders_are_taken() {
    let mut deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, ann, product) = customer(&deployment).await;
    let admin = deployment.admin().await;
    let nothing: [Value; 6] = std::array::from_fn(|_| Value::Null);
    until(&deployment, &admin, &nothing).await;

    deployment.broker().kill();
    let all = json!([
        "inventory",
        "notification",
        "order",
        "payment",
        "shipping",
        "user"
    ]);
    let here = json!(["inventory", "notification", "order", "shipping", "user"]);
    let there = json!(["payment"]);
    let told = [&all, &all, &here, &all, &all, &there].map(Value::clone);
    until(&deployment, &admin, &told).await;
    ordered(&front, &ann, &product, "pm_card_visa", "paid").await;

    deployment.broker().start_again().await;
    until(&deployment, &admin, &nothing).await;
}
