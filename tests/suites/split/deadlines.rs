//! How long a request may take is one affair, through however many processes it goes.

use std::time::Duration;

use cleave_tests::link::State;

use super::*;

/// Longer than the link below needs both ways, and much shorter than what the process
/// behind it would take by itself.
const LIMIT: (&str, &str) = ("HTTP__TIME_LIMIT", "3s");

/// The path of an order whose charge nobody can tell of, so that nothing can be undone
/// yet: its payment context, which is the second process, went away meanwhile.
pub(super) async fn in_doubt(
    deployment: &mut Deployment,
    front: &Client,
    ann: &str,
    product: &str,
) -> String {
    let body = order(&[(product, 1)], "pm_sim_slow");
    let made = front.post("/api/v1/orders", ann, &body).await;
    let id = made.body["id"].as_str().expect("an id");
    let path = format!("/api/v1/orders/{id}");
    front
        .until(&path, ann, |order| order["status"] == "confirmed")
        .await;
    deployment.kill(1);
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_is_answered_within_the_time_of_the_gateway_that_passed_it_on() {
    let mut deployment = Deployment::start_over_links(&PAYMENT_APART, &[]).await;
    let (front, ann, product) = customer(&deployment).await;
    let gateway = deployment.gateway(&[LIMIT]).await;
    let gateway = Client::new(gateway.url());
    let known = |page: &Value| page["items"].is_array();
    gateway.until("/api/v1/orders", &ann, known).await;
    let path = in_doubt(&mut deployment, &front, &ann, &product).await;
    deployment
        .link(0)
        .set(State::Slow(Duration::from_millis(100)));
    let cancel = format!("{path}/cancel");
    let answered = gateway.post(&cancel, &ann, &json!({})).await;
    assert!(answered.status.is_success(), "{answered:?}");
    assert!(path.ends_with(answered.body["id"].as_str().expect("an id")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_of_a_deadline_is_nobodys_deadline() {
    let deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, ann, _) = customer(&deployment).await;
    let past = [("cleave-deadline-ms", "0")];
    for path in ["/api/v1/orders", "/api/v1/payments"] {
        let asked = front.send(Method::GET, path, Some(&ann), &past, None);
        let reply = asked.await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {reply:?}");
    }
}
