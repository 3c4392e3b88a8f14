//! An encrypted connection, on which both ends show who they are.

use std::path::Path;
use std::process::{Command, Stdio};

use cleave_nats::{NatsError, NatsOptions};
use cleave_tests::broker::Broker;
use tempfile::TempDir;

use super::try_open;

fn openssl(folder: &Path, words: &str) {
    let status = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("openssl is there: the package openssl of any distribution");
    assert!(status.success(), "openssl {words}");
}

/// An authority, and what it has signed for the broker and for the program.
fn certificates() -> TempDir {
    const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    openssl(
        at,
        &format!("req -x509 {KEY} -keyout ca.key -out ca.pem -subj /CN=authority -days 2"),
    );
    for (name, purpose) in [("broker", "serverAuth"), ("program", "clientAuth")] {
        let extensions = format!("subjectAltName=IP:127.0.0.1\nextendedKeyUsage={purpose}\n");
        std::fs::write(at.join("extensions"), extensions).expect("written");
        openssl(
            at,
            &format!("req {KEY} -keyout {name}.key -out {name}.csr -subj /CN={name}"),
        );
        openssl(
            at,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                 -days 2 -extfile extensions -out {name}.pem"
            ),
        );
    }
    folder
}

#[tokio::test]
async fn both_ends_show_who_they_are() {
    let certificates = certificates();
    let at = |name: &str| certificates.path().join(name);
    let lines = format!(
        "jetstream {{ store_dir: \"STORE\" }}\n\
         tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
        at("broker.pem"),
        at("broker.key"),
        at("ca.pem"),
    );
    let broker = Broker::start_with(&lines).await;
    let mut options = NatsOptions {
        url: Some(broker.url()),
        ..NatsOptions::default()
    };
    let stranger = try_open(options.clone()).await.err().expect("refused");
    assert!(matches!(stranger, NatsError::Tls { .. }), "{stranger}");
    options.tls.ca_file = Some(at("ca.pem"));
    try_open(options.clone())
        .await
        .err()
        .expect("it shows nothing");
    options.tls.cert_file = Some(at("program.pem"));
    options.tls.key_file = Some(at("program.key"));
    options.tls.required = true;
    try_open(options).await.expect("opens");
}

/// Whoever names an authority does not want the password said to just anybody.
#[tokio::test]
async fn a_broker_that_does_not_encrypt_is_refused_where_any_file_is_named() {
    let certificates = certificates();
    let at = |name: &str| Some(certificates.path().join(name));
    let broker = Broker::start().await;
    let plain = NatsOptions {
        url: Some(broker.url()),
        ..NatsOptions::default()
    };
    let mut by_authority = plain.clone();
    by_authority.tls.ca_file = at("ca.pem");
    let mut by_certificate = plain;
    by_certificate.tls.cert_file = at("program.pem");
    by_certificate.tls.key_file = at("program.key");
    for options in [by_authority, by_certificate] {
        let refused = try_open(options).await.err().expect("refused");
        assert!(matches!(refused, NatsError::Tls { .. }), "{refused}");
    }
}
