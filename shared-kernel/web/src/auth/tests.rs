use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cleave_vocabulary::{Clock, ManualClock, UserId};
use http::header::WWW_AUTHENTICATE;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;

struct Issuer {
    pair: Ed25519KeyPair,
    kid: &'static str,
}

impl Issuer {
    fn new(kid: &'static str) -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key");
        Self { pair, kid }
    }

    fn jwks(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x},
            {"kty": "RSA", "kid": "other", "n": "AQAB", "e": "AQAB"},
        ]})
    }

    fn sign(&self, claims: &Value) -> String {
        let der = self.pair.to_pkcs8().expect("pkcs8");
        let key = EncodingKey::from_ed_der(der.as_ref());
        let header = Header {
            kid: Some(self.kid.to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, claims, &key).expect("signed")
    }
}

fn claims(clock: &ManualClock) -> Value {
    let now = clock.now().as_seconds();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": user(), "role": "admin", "sid": "s1",
        "iat": now, "exp": now + 900,
    })
}

fn user() -> UserId {
    "usr_01h455vb4pex5vsknk084sn02q".parse().expect("an id")
}

fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

fn trusting(issuer: &Issuer, clock: &ManualClock) -> TokenVerifier {
    let verifier = TokenVerifier::new(Arc::new(clock.clone()));
    verifier.set_keys(&issuer.jwks()).expect("keys");
    verifier
}

#[test]
fn a_good_token_says_who_calls_until_it_expires() {
    let (clock, issuer) = (ManualClock::default(), Issuer::new("k1"));
    let verifier = trusting(&issuer, &clock);
    let token = issuer.sign(&claims(&clock));
    for _ in 0..2 {
        let caller = verifier.verify(&token).expect("good");
        assert_eq!(caller.user, user());
        assert!(caller.is_admin());
        assert_eq!(caller.session, "s1");
    }
    clock.advance(Duration::from_secs(899));
    assert!(verifier.verify(&token).is_ok());
    clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        let problem = verifier.verify(&token).expect_err("expired");
        assert_eq!(problem.code, "token_expired");
    }
}

#[test]
fn what_is_no_good_token_is_refused() {
    let (clock, issuer) = (ManualClock::default(), Issuer::new("k1"));
    let verifier = trusting(&issuer, &clock);
    let good = claims(&clock);
    let later = clock.now().as_seconds() + 60;
    let forged = Issuer::new("k1").sign(&good);
    let unknown_key = Issuer::new("k2").sign(&good);
    let hmac = jsonwebtoken::encode(
        &Header {
            kid: Some("k1".into()),
            ..Header::default()
        },
        &good,
        &EncodingKey::from_secret(issuer.pair.public_key().as_ref()),
    );
    let mut unsigned = issuer.sign(&good);
    unsigned.truncate(unsigned.rfind('.').expect("three parts") + 1);
    let tokens = [
        forged,
        unknown_key,
        hmac.expect("signed"),
        unsigned,
        issuer.sign(&with(good.clone(), "aud", "cleave-internal")),
        issuer.sign(&with(good.clone(), "iss", "someone")),
        issuer.sign(&with(good.clone(), "role", "root")),
        issuer.sign(&with(good.clone(), "sub", "ord_01h455vb4pex5vsknk084sn02q")),
        issuer.sign(&with(good, "nbf", later)),
        String::new(),
        "a.b.c".to_owned(),
        "x".repeat(LONG),
    ];
    for token in tokens {
        let problem = verifier.verify(&token).expect_err(&token);
        assert_eq!(problem.code, "invalid_token", "{token}");
    }
}

const LONG: usize = 100_000;

#[test]
fn a_withdrawn_key_is_believed_no_longer() {
    let (clock, issuer) = (ManualClock::default(), Issuer::new("k1"));
    let verifier = trusting(&issuer, &clock);
    let token = issuer.sign(&claims(&clock));
    assert!(verifier.verify(&token).is_ok());
    let next = Issuer::new("k2");
    verifier.set_keys(&next.jwks()).expect("keys");
    assert!(verifier.verify(&token).is_err());
    assert!(verifier.verify(&next.sign(&claims(&clock))).is_ok());
    assert!(verifier.set_keys(&json!({"keys": []})).is_err());
    assert!(verifier.set_keys(&json!("nonsense")).is_err());
}

#[tokio::test]
async fn extractors_read_what_the_layer_found() {
    use axum::body::Body;
    use tower::{Layer, ServiceExt, service_fn};

    let (clock, issuer) = (ManualClock::default(), Issuer::new("k1"));
    let layer = Authenticate::new(trusting(&issuer, &clock));
    let token = issuer.sign(&claims(&clock));
    let asked = async |authorization: Option<String>| {
        let service = layer.layer(service_fn(async |request: http::Request<Body>| {
            let (mut parts, _) = request.into_parts();
            let maybe = MaybeCaller::from_request_parts(&mut parts, &()).await;
            let caller = Caller::from_request_parts(&mut parts, &()).await;
            let said = |problem: Problem| problem.code.clone().into_owned();
            Ok::<_, std::convert::Infallible>((
                caller.map(|caller| caller.user).map_err(said),
                maybe.map(|maybe| maybe.0.is_some()).map_err(said),
            ))
        }));
        let mut request = http::Request::new(Body::empty());
        if let Some(value) = authorization {
            let value = value.parse().expect("a header");
            request.headers_mut().insert("authorization", value);
        }
        service.oneshot(request).await.expect("infallible")
    };
    assert_eq!(asked(None).await, (Err("unauthorized".into()), Ok(false)));
    for scheme in ["Bearer", "bearer"] {
        let known = asked(Some(format!("{scheme} {token}"))).await;
        assert_eq!(known, (Ok(user()), Ok(true)));
    }
    let bad = || Err::<bool, _>("invalid_token".to_owned());
    for header in ["Bearer nonsense", "Basic YTpi", "Bearer"] {
        let refused = asked(Some(header.to_owned())).await;
        assert_eq!(refused, (Err("invalid_token".into()), bad()), "{header}");
    }
}

#[test]
fn a_challenge_names_the_error() {
    use axum::response::IntoResponse;

    let challenge = |problem: Problem| {
        let response = problem.into_response();
        let value = response.headers()[WWW_AUTHENTICATE].to_str();
        value.expect("text").to_owned()
    };
    assert_eq!(challenge(unauthorized()), r#"Bearer realm="cleave""#);
    assert!(challenge(invalid_token()).contains(r#"error="invalid_token""#));
    assert!(challenge(token_expired()).contains("expired"));
}

#[test]
fn a_users_token_and_a_services_each_open_their_own_routes_alone() {
    let (clock, issuer) = (ManualClock::default(), Issuer::new("k1"));
    let keys = ServiceKeys::new("a secret of more than 32 characters").expect("long enough");
    let time: Arc<dyn Clock> = Arc::new(clock.clone());
    let services = ServiceVerifier::new(&keys, &["order"], time.clone()).expect("keys");
    let tokens = ServiceTokens::new(&keys, "order", time).expect("a key");

    let bearer = tokens.bearer("payment").expect("a token");
    let token = bearer.to_str().expect("ascii")["Bearer ".len()..].to_owned();
    let problem = trusting(&issuer, &clock).verify(&token);
    let problem = problem.expect_err("public");
    assert_eq!(problem.code, "service_token_refused");
    let shown = axum::response::IntoResponse::into_response(problem);
    let challenge = shown.headers()[WWW_AUTHENTICATE].to_str().expect("ascii");
    assert!(challenge.contains("invalid_token"), "{challenge}");

    let user = format!("Bearer {}", issuer.sign(&claims(&clock)));
    let user = user.parse().expect("a header");
    let problem = services
        .verify(Some(&user), "payment")
        .expect_err("internal");
    assert_eq!(problem.code, "user_token_refused");
}

#[test]
fn before_the_keys_are_known_no_token_is_called_bad() {
    let (clock, issuer) = (ManualClock::default(), Issuer::new("k1"));
    let verifier = TokenVerifier::new(Arc::new(clock.clone()));
    let token = issuer.sign(&claims(&clock));
    let problem = verifier.verify(&token).expect_err("not known yet");
    assert_eq!(problem.code, "service_unavailable");
    let problem = verifier.verify("nonsense").expect_err("no token at all");
    assert_eq!(problem.code, "invalid_token");
}
