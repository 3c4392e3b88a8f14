//! A process that answers slowly, and what waits for it.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn no_more_wait_for_a_process_than_the_gateway_lets_and_streams_are_not_counted() {
    let mut deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, ann, product) = customer(&deployment).await;
    let settings = [
        ("GATEWAY__FORWARD__CONCURRENCY", "1"),
        ("HTTP__TIME_LIMIT", "5s"),
    ];
    let gateway = deployment.gateway(&settings).await;
    let gateway = Client::new(gateway.url());
    let known = |page: &Value| page["items"].is_array();
    gateway.until("/api/v1/orders", &ann, known).await;
    let path = deadlines::in_doubt(&mut deployment, &front, &ann, &product).await;

    let cancel = format!("{path}/cancel");
    let nothing = json!({});
    let slow = gateway.post(&cancel, &ann, &nothing);
    let meanwhile = async {
        let asked = |order: &Value| order["allowed_actions"] == json!([]);
        front.until(&path, &ann, asked).await;
        gateway.get("/api/v1/orders", &ann).await
    };
    let (slow, refused) = futures::future::join(slow, meanwhile).await;
    assert!(slow.status.is_success(), "{slow:?}");
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.body["code"], "service_unavailable");
    assert_eq!(refused.headers["retry-after"], "1");

    let id = path.rsplit('/').next().expect("an id");
    let _stream = Stream::open(&gateway, &follow::path(id), &ann, None).await;
    let answered = gateway.get("/api/v1/orders", &ann).await;
    assert_eq!(answered.status, StatusCode::OK, "{answered:?}");
}
