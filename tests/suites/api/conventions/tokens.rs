//! Who may ask at all.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cleave_tests::story::{Somebody, Story};
use insta::assert_snapshot;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use super::super::shop;
use super::{ME, PRODUCTS, code};

/// The key pair that RFC 8410 (10.3) shows; nobody's secret.
const FOREIGN: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";

fn ids(page: &Value) -> Value {
    let items = page["items"].as_array().into_iter().flatten();
    let ids: Value = items.map(|item| item["id"].clone()).collect();
    json!({"ids": ids, "next_cursor": page["next_cursor"]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_needs_a_token_says_so() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let document = story.document()["paths"].clone();
    for (path, item) in document.as_object().expect("paths") {
        let path = path.replace("{id}", "7").replace("{name}", "7");
        for (method, operation) in item.as_object().expect("operations") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let told = story.ask(method, &path).showing(code).send().await;
            assert_eq!(
                told.status == 401,
                !operation["security"].is_null(),
                "{path}"
            );
        }
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

/// A token that says so and is signed so.
fn token(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).expect("signed")
}

fn decoded(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn encoded(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_ours_is_refused() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ann = shop.customer("ann").await;
    let parts: Vec<&str> = ann.token.split('.').collect();
    let (header, claims) = (decoded(parts[0]), decoded(parts[1]));
    let jwks = shop.client().get("/.well-known/jwks.json", "").await.body;
    let public = jwks["keys"][0]["x"].as_str().expect("a key").to_owned();
    let mut admin = claims.clone();
    admin["role"] = "admin".into();
    let mut none = header.clone();
    none["alg"] = "none".into();
    let foreign = EncodingKey::from_ed_pem(FOREIGN.as_bytes()).expect("a key");
    let ours = Header {
        kid: header["kid"].as_str().map(str::to_owned),
        ..Header::new(Algorithm::EdDSA)
    };
    let symmetric = Header {
        alg: Algorithm::HS256,
        ..ours.clone()
    };
    let other = Header {
        kid: Some("other".to_owned()),
        ..ours.clone()
    };
    let shared = EncodingKey::from_secret(public.as_bytes());
    for (what, token) in [
        ("signed by another key", token(&ours, &claims, &foreign)),
        (
            "by a key that nobody knows",
            token(&other, &claims, &foreign),
        ),
        (
            "with claims put in",
            format!("{}.{}.{}", parts[0], encoded(&admin), parts[2]),
        ),
        (
            "signed by nobody",
            format!("{}.{}.", encoded(&none), parts[1]),
        ),
        (
            "signed with what is public",
            token(&symmetric, &claims, &shared),
        ),
        ("cut short", ann.token[..ann.token.len() - 1].to_owned()),
        ("no token at all", "nonsense".to_owned()),
    ] {
        let told = story.get(ME).by(&Somebody::with(what, &token)).send().await;
        assert_eq!(told.status, 401, "{what}");
    }
    story.note("Another scheme, and a token where none is needed.");
    let ask = story.get(ME).header("authorization", "Basic YW5uOmFubg==");
    ask.send().await;
    let nonsense = Somebody::with("nonsense", "nonsense");
    let ask = story.get(PRODUCTS).by(&nonsense).showing(ids);
    ask.send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}
