//! Who may call where.

use std::sync::Arc;

use cleave::internal::{DOCUMENT, STANDING};
use cleave_tests::deployment::KEY;
use cleave_tests::schema::answers;
use cleave_tests::shop::Reply;
use cleave_vocabulary::{Clock, SystemClock};
use cleave_web::{ServiceKeys, ServiceTokens};

use super::*;

const CHARGE: &str = "/internal/v1/payment/charge";

/// A token of the order context for this audience, under this secret.
fn service_token(secret: &str, audience: &str) -> String {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keys = ServiceKeys::new(secret).expect("long enough");
    let tokens = ServiceTokens::new(&keys, "order", clock).expect("a key");
    let bearer = tokens.bearer(audience).expect("a token");
    bearer.to_str().expect("ascii")["Bearer ".len()..].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_services_each_have_their_own_routes() {
    let deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let (front, ann, _) = customer(&deployment).await;
    let inside = Client::new(deployment.internal(1));
    let own = service_token(KEY, "payment");

    let charge = async |token: Option<&str>| {
        let body = json!({});
        let headers = [("x-correlation-id", "mine")];
        inside
            .send(Method::POST, CHARGE, token, &headers, Some(&body))
            .await
    };
    let refused = async |token: Option<&str>, code: &str| {
        let reply = charge(token).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{reply:?}");
        assert_eq!(reply.body["code"], code);
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        assert!(reply.headers.contains_key("www-authenticate"));
    };
    refused(None, "service_token_required").await;
    refused(Some(&ann), "user_token_refused").await;
    refused(Some(&service_token(KEY, "shipping")), "wrong_audience").await;
    let stranger = service_token("a secret of somebody else, and long", "payment");
    refused(Some(&stranger), "invalid_service_token").await;
    // Let in, and told that this is no charge.
    let reply = charge(Some(&own)).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.body["failed"]["kind"], "broken");

    // The public side has no internal routes, and no ear for services.
    let reply = front.post(CHARGE, &ann, &json!({})).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    for client in [&front, &deployment.client(1)] {
        let reply = client.get("/api/v1/payments", &own).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert_eq!(reply.body["code"], "service_token_refused");
    }
    // A client that finds the internal address finds no way around the gateway.
    let reply = inside.get("/api/v1/payments", &ann).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(reply.body["code"], "service_token_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_is_looked_for_in_the_wrong_process_says_which_setting_is_wrong() {
    let deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let inside = Client::new(deployment.internal(1));
    let token = service_token(KEY, "inventory");
    let reply = inside
        .post("/internal/v1/inventory/quote", &token, &json!({}))
        .await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    assert_eq!(reply.body["code"], "not_hosted");
    let detail = reply.body["detail"].as_str().expect("text");
    assert!(detail.contains("topology.inventory"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_token_is_logged() {
    let deployment = Deployment::start(&PAYMENT_APART, &[("LOG__FILTER", "trace")]).await;
    let (front, ann, product) = customer(&deployment).await;
    ordered(&front, &ann, &product, "pm_card_visa", "paid").await;
    for index in 0..2 {
        let log = deployment.program(index).log();
        assert!(!log.contains(KEY));
        // How every JSON Web Token begins.
        assert!(
            !log.contains("eyJ"),
            "a token was logged by process {index}"
        );
    }
}

/// Demands that an answer is as the document of the ports has it.
fn told(document: &Value, (method, path): (&str, &str), reply: &Reply) {
    let operation = &document["paths"][path][method];
    let (status, kind) = (reply.status, &reply.headers["content-type"]);
    let kind = kind.to_str().expect("ascii");
    let fits = answers(document, operation, status.as_str(), kind, &reply.body);
    assert_eq!(fits, Ok(()), "{method} {path}: {reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ports_have_a_document_that_says_what_they_answer() {
    let deployment = Deployment::start(&PAYMENT_APART, &[]).await;
    let inside = Client::new(deployment.internal(1));
    let document = anonymous(&inside, "/internal/v1/openapi.json").await;
    told(
        &document.body,
        ("get", "/internal/v1/openapi.json"),
        &document,
    );
    let document = document.body;
    assert_eq!(document["openapi"], "3.1.0");

    let ask = async |path: &str, audience: Option<&str>, body: Value| {
        let token = audience.map(|audience| service_token(KEY, audience));
        let headers = [("x-correlation-id", "mine")];
        let token = token.as_deref();
        let reply = inside
            .send(Method::POST, path, token, &headers, Some(&body))
            .await;
        told(&document, ("post", path), &reply);
        reply.status.as_u16()
    };
    let supports = "/internal/v1/payment/supports";
    let method = json!({"payment_method": "pm_card_visa"});
    assert_eq!(ask(supports, Some("payment"), method.clone()).await, 200);
    assert_eq!(ask(supports, Some("payment"), json!({})).await, 400);
    assert_eq!(ask(supports, Some("shipping"), method.clone()).await, 401);
    assert_eq!(ask(supports, None, method).await, 401);
    let quote = "/internal/v1/inventory/quote";
    assert_eq!(ask(quote, Some("inventory"), json!({})).await, 404);
    let checks = "/internal/v1/gateway/audit_checks";
    for (context, status) in [("payment", 200), ("order", 404)] {
        let of = json!({"context": context});
        assert_eq!(ask(checks, Some("gateway"), of).await, status);
    }

    let gateway = format!("Bearer {}", service_token(KEY, "gateway"));
    for path in [STANDING, DOCUMENT] {
        let shown = [("cleave-service-token", gateway.as_str())];
        for (headers, status) in [
            (shown.as_slice(), StatusCode::OK),
            (&[], StatusCode::UNAUTHORIZED),
        ] {
            let reply = inside.send(Method::GET, path, None, headers, None).await;
            assert_eq!(reply.status, status);
            told(&document, ("get", path), &reply);
        }
    }
    for path in ["/health/live", "/health/ready"] {
        told(&document, ("get", path), &anonymous(&inside, path).await);
    }
    let front = anonymous(&deployment.front(), "/internal/v1/openapi.json").await;
    assert_eq!(front.status, StatusCode::NOT_FOUND);
}
