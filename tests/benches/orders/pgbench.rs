//! The limit on Postgres: the same five transactions an order, each in the schema of
//! its context, written by hand and driven by Postgres's own `pgbench`.

use std::process::Command;
use std::time::Duration;

use crate::ways::{Way, fresh};

const SCHEMA: &str = "
CREATE SCHEMA hand_order; CREATE SCHEMA hand_stock; CREATE SCHEMA hand_pay; CREATE SCHEMA hand_ship;
CREATE TABLE hand_order.orders (id bigint PRIMARY KEY, items text, total bigint, status text, at bigint);
CREATE TABLE hand_order.outbox (seq bigserial PRIMARY KEY, event text);
CREATE TABLE hand_stock.stock (id bigint PRIMARY KEY, on_hand bigint, reserved bigint);
CREATE TABLE hand_stock.reservation (id bigint PRIMARY KEY, items text);
CREATE TABLE hand_stock.outbox (seq bigserial PRIMARY KEY, event text);
CREATE TABLE hand_pay.payment (id bigint PRIMARY KEY, amount bigint, status text);
CREATE TABLE hand_pay.outbox (seq bigserial PRIMARY KEY, event text);
CREATE TABLE hand_ship.shipment (id bigint PRIMARY KEY, address text, status text);
CREATE TABLE hand_ship.outbox (seq bigserial PRIMARY KEY, event text);
INSERT INTO hand_stock.stock SELECT i, 1000000000, 0 FROM generate_series(0, 3114) AS i;";

/// One order. Lines are taken in a fixed order, so that no two orders wait for each other.
const ORDER: &str = "\\set one random(0, 1037)
\\set two random(1038, 2075)
\\set three random(2076, 3114)
\\set id random(1, 9223372036854775806)
BEGIN;
INSERT INTO hand_order.orders VALUES (:id, 'ITEMS', 5997, 'pending', 0);
INSERT INTO hand_order.outbox (event) VALUES ('EVENT');
COMMIT;
BEGIN;
UPDATE hand_stock.stock SET reserved = reserved + 1 WHERE id = :one AND on_hand - reserved >= 1;
UPDATE hand_stock.stock SET reserved = reserved + 1 WHERE id = :two AND on_hand - reserved >= 1;
UPDATE hand_stock.stock SET reserved = reserved + 1 WHERE id = :three AND on_hand - reserved >= 1;
INSERT INTO hand_stock.reservation VALUES (:id, 'ITEMS');
INSERT INTO hand_stock.outbox (event) VALUES ('EVENT');
COMMIT;
BEGIN;
INSERT INTO hand_pay.payment VALUES (:id, 5997, 'completed');
INSERT INTO hand_pay.outbox (event) VALUES ('EVENT');
COMMIT;
BEGIN;
INSERT INTO hand_ship.shipment VALUES (:id, '1 High Street', 'scheduled');
INSERT INTO hand_ship.outbox (event) VALUES ('EVENT');
COMMIT;
BEGIN;
UPDATE hand_order.orders SET status = 'paid' WHERE id = :id;
INSERT INTO hand_order.outbox (event) VALUES ('EVENT');
COMMIT;
";

/// Three lines, as an order keeps them.
const ITEMS: &str = r#"[{"product_id"="prd_01h455vb4pex5vsknk084sn02q","quantity"=1},{"product_id"="prd_01h455vb4pex5vsknk084sn02r","quantity"=1},{"product_id"="prd_01h455vb4pex5vsknk084sn02s","quantity"=1}]"#;

/// Orders a second over so many connections to a fresh database, which `way` leads to.
pub(crate) async fn orders_per_second(way: Way, span: Duration, connections: u64) -> f64 {
    let server = fresh();
    let url = server.database().await;
    cleave_tests::postgres::run(&url, SCHEMA).await;
    let url = way(&server, &url);
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("order.sql");
    // To pgbench a colon begins a variable, in a string too.
    let event = crate::byhand::EVENT.replace(':', "=");
    let order = ORDER.replace("ITEMS", ITEMS).replace("EVENT", &event);
    std::fs::write(&script, order).expect("written");
    let mut command = Command::new(program());
    command
        .args([
            "-n",
            "-M",
            "prepared",
            "-j",
            "2",
            "-c",
            &connections.to_string(),
        ])
        .args(["-T", &span.as_secs().to_string(), "-f"])
        .arg(&script)
        .arg(&url);
    let run = tokio::task::spawn_blocking(move || command.output().expect("pgbench starts"));
    let ended = run.await.expect("it ends");
    let out = String::from_utf8_lossy(&ended.stdout);
    let rate = out.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rate| rate.split(' ').next()?.parse().ok());
    rate.unwrap_or_else(|| panic!("{out}{}", String::from_utf8_lossy(&ended.stderr)))
}

/// Beside the server, as Debian has it, or on the path.
fn program() -> std::path::PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter();
    let beside = versions.flatten().flatten();
    let mut found: Vec<_> = beside
        .map(|version| version.path().join("bin/pgbench"))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| "pgbench".into())
}
