//! Suite: a context's data moved between SQLite and Postgres by the real program.
//! What arrives is what was there, an order in flight goes on, a copy that was
//! killed is finished by the next, and what must not be touched is refused.

mod apart;
mod flight;
mod interrupted;
mod known;
mod refusals;

use std::path::Path;

use cleave::topology::CONTEXTS;
use cleave_tests::postgres;
use cleave_tests::program::{Ended, Program, run};
use cleave_tests::shop::{ADMIN, Client, order};
use rusqlite::types::Value;
use tempfile::TempDir;

/// What every server here is told.
const SHOP: [(&str, &str); 5] = [
    ("CLEAVE__ADMIN__EMAIL", ADMIN.0),
    ("CLEAVE__ADMIN__PASSWORD", ADMIN.1),
    ("CLEAVE__GATEWAY__RATE_LIMIT__ENABLED", "false"),
    ("CLEAVE__USER__HASHING__MEMORY_KIB", "8"),
    ("CLEAVE__USER__HASHING__ITERATIONS", "1"),
];

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Starts a server, told further settings.
async fn serve(data: &Path, settings: &[(&str, &str)]) -> Program {
    serve_with(data, &[], settings).await
}

/// The same, with further words on its command line.
async fn serve_with(data: &Path, words: &[&str], settings: &[(&str, &str)]) -> Program {
    let data = data.to_owned();
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment: Vec<_> = SHOP.iter().chain(settings).map(owned).collect();
    let started = tokio::task::spawn_blocking(move || {
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Program::serve(&data, &words, &environment)
    });
    started.await.expect("it starts")
}

fn stop(program: Program) {
    let (status, log) = program.stop();
    assert!(status.success(), "{log}");
}

/// A customer who has bought something, in a shop that is left running.
async fn bought(shop: &Program) -> (Client, String, String) {
    let client = Client::new(shop.url());
    let admin = client.sign_in(ADMIN.0, ADMIN.1).await;
    let product = client.product(&admin, "P1", 100).await;
    let ann = client.customer("ann").await;
    for method in ["pm_card_visa", "pm_card_chargeDeclined", "pm_card_visa"] {
        let status = if method == "pm_card_visa" {
            "paid"
        } else {
            "cancelled"
        };
        let path = place(&client, &ann, &product, method).await;
        let reached = |order: &serde_json::Value| {
            let now = order["status"].as_str().unwrap_or_default();
            now == status || (status == "paid" && ["shipped", "delivered"].contains(&now))
        };
        client.until(&path, &ann, reached).await;
    }
    (client, ann, product)
}

/// Places an order; where it is.
async fn place(client: &Client, token: &str, product: &str, method: &str) -> String {
    let made = client
        .post("/api/v1/orders", token, &order(&[(product, 1)], method))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    format!(
        "/api/v1/orders/{}",
        made.body["id"].as_str().expect("an id")
    )
}

/// Runs `cleave move` over the data folder, which is the current one.
fn relocate(data: &Path, context: &str, to: &str, settings: &[(&str, &str)]) -> Ended {
    let words = ["move", context, "--data-dir", ".", "--to", to];
    run(data, &words, settings)
}

#[track_caller]
fn moved(ended: &Ended) {
    assert!(ended.status.success(), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("compared and the same"), "{}", ended.out);
}

/// Every row of every table, in the order of the rows as text.
fn dump(path: &Path) -> Vec<(String, Vec<Vec<Value>>)> {
    let database = rusqlite::Connection::open(path).expect("it opens");
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' \
         AND name <> 'seaql_migrations' ORDER BY name";
    let mut prepared = database.prepare(tables).expect("it can be asked");
    let names = prepared.query_map([], |row| row.get::<_, String>(0));
    let names: Vec<String> = names
        .expect("names")
        .map(|name| name.expect("a name"))
        .collect();
    let table = |name: String| {
        let mut prepared = database
            .prepare(&format!("SELECT * FROM \"{name}\""))
            .expect("it can be read");
        let columns = prepared.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|place| row.get(place)).collect();
        let rows = prepared.query_map([], row).expect("rows");
        let mut rows: Vec<Vec<Value>> = rows.map(|row| row.expect("a row")).collect();
        rows.sort_by_key(|row| format!("{row:?}"));
        (name, rows)
    };
    names.into_iter().map(table).collect()
}

/// The setting that names a context's place.
fn place_of(context: &str) -> String {
    format!("CLEAVE__DATABASE__{}__URL", context.to_uppercase())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_postgres_and_comes_back_is_what_it_was() {
    let data = folder();
    let shop = serve(data.path(), &[]).await;
    bought(&shop).await;
    stop(shop);
    for context in CONTEXTS {
        let url = postgres::shared().schema().await;
        let there = relocate(data.path(), context, &url, &[]);
        moved(&there);
        assert!(
            there.out.contains(&format!("database.{context}.url")),
            "{}",
            there.out
        );
        let back = format!("sqlite:{context}-back.db");
        let setting = place_of(context);
        moved(&relocate(data.path(), context, &back, &[(&setting, &url)]));
        let file = |name: String| data.path().join(name);
        let before = dump(&file(format!("{context}.db")));
        assert!(before.iter().any(|(_, rows)| !rows.is_empty()));
        assert_eq!(
            before,
            dump(&file(format!("{context}-back.db"))),
            "{context}"
        );
    }
}
