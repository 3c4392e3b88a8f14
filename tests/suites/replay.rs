//! Suite: ten thousand real orders through the real program, audited, and
//! counted from outside.

use std::path::PathBuf;

use cleave_tests::program::{Program, run};
use cleave_tests::shop::Client;
use serde_json::Value;

fn recorded() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../config/demo/orders.csv")
        .canonicalize()
        .expect("part of the project")
}

/// What each sku sold, by the file itself.
fn sold() -> std::collections::BTreeMap<String, i64> {
    let mut sold = std::collections::BTreeMap::new();
    let mut reader = csv::Reader::from_path(recorded()).expect("reads");
    for row in reader.records() {
        let row = row.expect("a row");
        *sold.entry(row[4].to_owned()).or_default() += row[5].parse::<i64>().expect("a quantity");
    }
    sold
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_real_orders_are_placed_paid_and_accounted_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let environment = [("CLEAVE__GATEWAY__RATE_LIMIT__ENABLED", "false")];
    let program = Program::serve(folder.path(), &["--demo"], &environment);
    let (file, url) = (recorded(), program.url());
    let file = file.to_str().expect("UTF-8");

    // Interrupted in the middle, and gone on with.
    let first = run(
        folder.path(),
        &["replay", file, "--url", &url, "--limit", "2500"],
        &[],
    );
    assert!(first.status.success(), "{}{}", first.out, first.err);
    let rest = run(
        folder.path(),
        &["replay", file, "--url", &url, "--concurrency", "64"],
        &[],
    );
    assert!(rest.status.success(), "{}{}", rest.out, rest.err);
    let figure = |name: &str| {
        let line = rest
            .out
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_whitespace().last()?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    assert_eq!(figure("placed by a run before"), 2500, "{}", rest.out);
    assert_eq!(figure("orders placed"), 7500, "{}", rest.out);
    assert_eq!(figure("paid"), 10_000, "{}", rest.out);

    let client = Client::new(url);
    let admin = client
        .sign_in("admin@demo.example", "demo-admin-password")
        .await;
    client.demand_balanced_books(&admin).await;

    // From outside: what is left on each shelf is what there was less what was sold.
    let mut sold = sold();
    let mut cursor = String::new();
    loop {
        let page = client
            .get(
                &format!("/api/v1/inventory/products?limit=100{cursor}"),
                &admin,
            )
            .await
            .body;
        for product in page["items"].as_array().expect("a page") {
            let left = product["available"].as_i64().expect("a count");
            let sku = product["sku"].as_str().expect("a sku");
            let started = stocked(sku);
            assert_eq!(started - left, sold.remove(sku).unwrap_or(0), "{sku}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(sold.is_empty(), "sold and not in the catalogue: {sold:?}");
    let (status, log) = tokio::task::spawn_blocking(move || program.stop())
        .await
        .expect("stops");
    assert!(status.success(), "{log}");

    // And from the folder of the stopped program.
    let audit = run(folder.path(), &["audit", "--data-dir", "."], &[]);
    assert!(audit.status.success(), "{}{}", audit.out, audit.err);
    let report: Value = serde_json::from_str(&audit.out).expect("JSON");
    assert_eq!(report["ok"], true);
    let orders = report["checks"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|check| check["checked"].as_u64())
        .max();
    assert!(orders >= Some(10_000), "{}", audit.out);
}

/// What the demo put on the shelf.
fn stocked(sku: &str) -> i64 {
    use std::collections::HashMap;
    use std::sync::OnceLock;
    static STOCK: OnceLock<HashMap<String, i64>> = OnceLock::new();
    let stock = STOCK.get_or_init(|| {
        let path = recorded().with_file_name("products.csv");
        let mut reader = csv::Reader::from_path(path).expect("reads");
        let rows = reader.records().map(|row| row.expect("a row"));
        rows.map(|row| (row[0].to_owned(), row[3].parse().expect("a count")))
            .collect()
    });
    stock[sku]
}
