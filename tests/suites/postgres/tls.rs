//! TLS to the server, by the URL's parameters, with a certificate of an
//! authority that only the URL names.

use std::path::Path;
use std::process::Command;

use cleave_store::{OpenError, PostgresOptions, Store, Tx, Unit};
use cleave_tests::postgres::Server;
use sea_orm::{ConnectionTrait, Statement};

/// An authority, and a certificate of it for 127.0.0.1.
const MAKE: &str = "\
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=authority' -keyout ca.key -out ca.crt
openssl req -newkey rsa:2048 -nodes -subj '/CN=server' -keyout server.key -out server.csr
printf 'subjectAltName=IP:127.0.0.1\\n' > names
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=stranger' -keyout other.key -out other.crt
chmod 600 server.key
chmod a+rx .
if [ \"$(id -u)\" = 0 ]; then chown \"$(getent passwd postgres >/dev/null && echo postgres || echo nobody)\" server.key; fi";

fn make(folder: &Path) {
    let made = Command::new("bash")
        .args(["-ec", MAKE])
        .current_dir(folder)
        .output();
    let made = made.expect("bash runs");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

#[tokio::test]
async fn a_store_speaks_tls_and_trusts_only_whom_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    make(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let server = Server::start(&format!(
        "-c ssl=on -c ssl_cert_file={} -c ssl_key_file={}",
        at("server.crt"),
        at("server.key")
    ));
    let url = server.schema().await;
    let open = async |parameters: &str| {
        let url = format!("{url}&{parameters}");
        Store::open_postgres("bench", &url, &PostgresOptions::default()).await
    };
    let verified = format!("sslmode=verify-full&sslrootcert={}", at("ca.crt"));
    let store = open(&verified).await.expect("opens");
    let encrypted: Unit<bool> = store
        .read(async |tx: &Tx| {
            let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            let row = tx
                .query_one_raw(Statement::from_string(tx.get_database_backend(), sql))
                .await?;
            Ok(row.expect("this connection").try_get("", "ssl")?)
        })
        .await;
    assert!(encrypted.expect("read"));
    let stranger = format!("sslmode=verify-full&sslrootcert={}", at("other.crt"));
    let refused = open(&stranger).await.err().expect("not trusted");
    assert!(matches!(refused, OpenError::Tls { .. }), "{refused:?}");
    let missing = format!("sslmode=verify-full&sslrootcert={}", at("missing.crt"));
    let refused = open(&missing).await.err().expect("not there");
    assert!(
        matches!(&refused, OpenError::BadUrl(reason) if reason.contains("missing.crt")),
        "{refused:?}"
    );
    store.close().await;
}
