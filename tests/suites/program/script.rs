//! `config/topologies/run`: what it starts is a shop, whoever of it is killed; and one
//! Ctrl-C ends all of it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use cleave_tests::program::path;
use cleave_tests::shop::{Client, order};
use serde_json::Value;

use super::folder;
use super::topologies::topologies;

/// The processes in whose command lines a folder is named, by their ids.
fn running(folder: &Path) -> BTreeMap<String, String> {
    let folder = folder.display().to_string();
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let lines = processes.filter_map(|it| {
        let line = std::fs::read(it.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        Some((it.file_name().into_string().ok()?, line))
    });
    lines.filter(|(_, line)| line.contains(&folder)).collect()
}

fn send(signal: &str, process: &str) {
    let sent = Command::new("kill").args([signal, process]).status();
    assert!(sent.expect("it runs").success(), "{signal} {process}");
}

/// Reads until a line that begins so.
fn read_until(
    said: &mut impl Iterator<Item = std::io::Result<String>>,
    begin: &str,
) -> Vec<String> {
    let mut lines = Vec::new();
    for line in said.by_ref().map_while(Result::ok) {
        let last = line.starts_with(begin);
        lines.push(line);
        if last {
            return lines;
        }
    }
    panic!("it never said `{begin}`: {}", lines.join("\n"));
}

/// What stands behind a word at the beginning of one of the lines.
fn behind<'l>(lines: &'l [String], word: &str) -> Vec<&'l str> {
    let mut lines = lines.iter().map(|line| line.split_whitespace());
    let found = lines.find_map(|mut it| (it.next() == Some(word)).then(|| it.collect()));
    found.unwrap_or_else(|| panic!("no {word}"))
}

async fn buy(front: &Client, email: &str, password: &str) {
    let token = front.sign_in(email, password).await;
    let products = "/api/v1/inventory/products?search=candle&limit=1";
    let product = front.get(products, &token).await.body["items"][0]["id"].clone();
    let lines = [(product.as_str().expect("an id"), 1)];
    let body = order(&lines, "pm_card_visa");
    let made = front.post("/api/v1/orders", &token, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let order = format!(
        "/api/v1/orders/{}",
        made.body["id"].as_str().expect("an id")
    );
    let paid = |order: &Value| {
        ["paid", "shipped", "delivered"]
            .map(Value::from)
            .contains(&order["status"])
    };
    front.until(&order, &token, paid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_is_started_again_and_one_ctrl_c_ends_all() {
    let data = folder();
    // What was started in the background of a shell ignores Ctrl-C, and so would all of this.
    let mut script = Command::new("env")
        .arg("--default-signal=INT")
        .arg(topologies().join("run"))
        .args(["payment-apart", "--data"])
        .arg(data.path())
        .env("CLEAVE", path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut said = BufReader::new(script.stderr.take().expect("piped")).lines();
    let lines = read_until(&mut said, "Ctrl-C ends all of it.");
    let (front, payment) = (behind(&lines, "front")[0], behind(&lines, "payment")[0]);
    let customer = behind(&lines, "customer");
    buy(&Client::new(front), customer[0], customer[1]).await;
    let folder = data.path().canonicalize().expect("it is there");
    let found = running(&folder);
    assert!(found.len() >= 4, "two processes, and two servers");

    let of_payment = |line: &str| line.contains("payment.toml");
    let killed = found.iter().find(|(_, line)| of_payment(line));
    send("-KILL", killed.expect("it runs").0);
    read_until(
        &mut said,
        "payment ended (exit status 137); it is started again",
    );
    buy(&Client::new(front), customer[0], customer[1]).await;

    send("-INT", &script.id().to_string());
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    let ended = script.wait().expect("it ends");
    assert!(ended.success(), "{rest:?}");
    assert_eq!(running(&folder), BTreeMap::new());
    let broker = behind(&lines, "events")[0];
    for address in [front, payment, broker] {
        let address = address.rsplit('/').next().expect("an address");
        TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    }
}
