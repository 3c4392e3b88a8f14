//! Bodies that are passed on: how long one is need not be said, and is bounded all
//! the same.

use cleave_tests::shop::ADMIN;
use reqwest::Body;

use super::*;

/// Over the limit of 256 KiB, in pieces and without a length.
fn endless() -> Body {
    let piece = || Ok::<_, std::io::Error>(vec![b' '; 16 * 1024]);
    Body::wrap_stream(futures::stream::iter((0..20).map(move |_| piece())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_says_no_length_is_refused_where_it_grows_too_large() {
    let deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let admin = deployment.front().sign_in(ADMIN.0, ADMIN.1).await;
    // Of replicas, where a body is held to be sent again, the second is not there.
    let two = format!("{},http://127.0.0.1:1", deployment.internal(1));
    let gateway = deployment.gateway(&[("TOPOLOGY__PAYMENT", &two)]).await;
    let known = |page: &Value| page["items"].is_array();
    let beside = Client::new(gateway.url());
    beside.until("/api/v1/payments", &admin, known).await;
    for front in [deployment.front().url().to_owned(), gateway.url()] {
        for _ in 0..10 {
            let asked = reqwest::Client::new()
                .post(format!(
                    "{front}/api/v1/payments/pay_01h455vb4pex5vsknk084sn02q/refunds"
                ))
                .bearer_auth(&admin)
                .header("content-type", "application/json")
                .header("idempotency-key", "k")
                .body(endless());
            let told = asked.send().await.expect("an answer");
            assert_eq!(told.status(), StatusCode::PAYLOAD_TOO_LARGE);
            let body: Value = told.json().await.expect("a problem");
            assert_eq!(body["code"], "body_too_large", "{body}");
        }
    }
}
