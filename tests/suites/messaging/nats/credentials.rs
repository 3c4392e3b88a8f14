//! Users of a broker whose accounts are signed by an operator: a user shows a JWT
//! from a file, and signs with the seed beside it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cleave_nats::NatsOptions;
use cleave_tests::broker::Broker;
use nkeys::KeyPair;
use serde_json::{Value, json};

use super::try_open;

/// What `subject` may, signed by `issuer`: a JWT as the broker reads it.
fn signed(issuer: &KeyPair, subject: &KeyPair, claims: &Value) -> String {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encoded(&json!({"typ": "JWT", "alg": "ed25519-nkey"}));
    let body = encoded(&json!({
        "jti": subject.public_key(),
        "iat": 1,
        "iss": issuer.public_key(),
        "sub": subject.public_key(),
        "name": "throwaway",
        "nats": claims,
    }));
    let text = format!("{header}.{body}");
    let signature = issuer.sign(text.as_bytes()).expect("signed");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The file that a user is given.
fn file_of(user: &KeyPair, jwt: &str) -> String {
    let seed = user.seed().expect("a seed");
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

#[tokio::test]
async fn a_file_opens_to_the_user_that_it_is_of() {
    let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
    // The broker wants one for itself.
    let system = KeyPair::new_account();
    let operators = signed(
        &operator,
        &operator,
        &json!({"type": "operator", "version": 2}),
    );
    let all = [
        "subs",
        "data",
        "payload",
        "imports",
        "exports",
        "conn",
        "leaf",
        "mem_storage",
        "disk_storage",
        "streams",
        "consumer",
    ];
    let mut limits: serde_json::Map<_, _> = all
        .map(|name| (name.to_owned(), json!(-1)))
        .into_iter()
        .collect();
    limits.insert("wildcards".to_owned(), json!(true));
    let may = json!({"type": "account", "version": 2, "limits": limits});
    let entry = |account: &KeyPair, may: &Value| {
        let jwt = signed(&operator, account, may);
        format!("{}: {jwt}", account.public_key())
    };
    let lines = format!(
        "jetstream {{ store_dir: \"STORE\" }}\noperator: {operators}\nresolver: MEMORY\n\
         system_account: {}\nresolver_preload: {{ {}, {} }}",
        system.public_key(),
        entry(&system, &json!({"type": "account", "version": 2})),
        entry(&account, &may),
    );
    let broker = Broker::start_with(&lines).await;

    let user = |issuer: &KeyPair| {
        let user = KeyPair::new_user();
        let may = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
        let jwt = signed(issuer, &user, &may);
        file_of(&user, &jwt)
    };
    let path = broker.folder().join("user.creds");
    let options = NatsOptions {
        url: Some(broker.url()),
        credentials_file: Some(path.clone()),
        ..NatsOptions::default()
    };
    for wrong in [user(&KeyPair::new_account()), "nothing of use".to_owned()] {
        std::fs::write(&path, wrong).expect("written");
        let told = try_open(options.clone()).await.err().expect("refused");
        let told = told.to_string();
        assert!(told.contains("bus.nats.credentials_file"), "{told}");
    }
    std::fs::write(&path, user(&account)).expect("written");
    try_open(options).await.expect("opens");
}
