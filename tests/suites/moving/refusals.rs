//! What is refused, with what to do, and left as it was.

use std::path::Path;

use cleave_tests::postgres;
use cleave_tests::program::Ended;

use super::{bought, dump, folder, moved, place_of, relocate, serve, stop};

#[track_caller]
fn refused(ended: &Ended, status: i32, parts: &[&str]) {
    assert_eq!(
        ended.status.code(),
        Some(status),
        "{}{}",
        ended.out,
        ended.err
    );
    for part in parts {
        assert!(
            ended.err.contains(part),
            "`{part}` is not in:\n{}",
            ended.err
        );
    }
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_is_not_moved() {
    let data = folder();
    let shop = serve(data.path(), &[]).await;
    let url = postgres::shared().schema().await;
    let used = relocate(data.path(), "payment", &url, &[]);
    refused(
        &used,
        1,
        &["the source", "payment.db is in use by another process"],
    );
    stop(shop);
    moved(&relocate(data.path(), "payment", &url, &[]));

    let setting = place_of("payment");
    let there = [(setting.as_str(), url.as_str())];
    let shop = serve(data.path(), &there).await;
    let used = relocate(data.path(), "payment", "sqlite:back.db", &there);
    refused(
        &used,
        1,
        &["the source", "in use by another process; stop it first"],
    );
    let used = relocate(data.path(), "payment", &url, &[]);
    refused(
        &used,
        1,
        &["the target", "in use by another process; stop it first"],
    );
    stop(shop);
    moved(&relocate(data.path(), "payment", "sqlite:back.db", &there));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_holds_something_else_is_left_as_it_is() {
    let (data, other) = (folder(), folder());
    for shop in [&data, &other] {
        let running = serve(shop.path(), &[]).await;
        bought(&running).await;
        stop(running);
    }
    let to = other.path().join("payment.db");
    let (before, to) = (dump(&to), to);
    let at = format!("sqlite:{}", to.display());
    let full = relocate(data.path(), "payment", &at, &[]);
    refused(
        &full,
        1,
        &["the target", "holds other data", "empty database"],
    );
    assert!(before == dump(&to));

    let wrong = format!("sqlite:{}", other.path().join("order.db").display());
    let wrong = relocate(data.path(), "payment", &wrong, &[]);
    refused(&wrong, 1, &["the target", "holds what is not payment's"]);

    let url = postgres::shared().schema().await;
    postgres::run(
        &url.replace("?schema=", "?options[search_path]="),
        "CREATE TABLE cats (id bigint)",
    )
    .await;
    let wrong = relocate(data.path(), "payment", &url, &[]);
    refused(&wrong, 1, &["the target", "holds what is not payment's"]);
}

fn change(path: &Path, sql: &str) {
    let database = rusqlite::Connection::open(path).expect("it opens");
    database.execute_batch(sql).expect("it is changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_another_version_is_not_copied() {
    let data = folder();
    stop(serve(data.path(), &[]).await);
    let file = data.path().join("payment.db");
    change(
        &file,
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_later', 0)",
    );
    let newer = relocate(data.path(), "payment", "sqlite:to.db", &[]);
    refused(&newer, 1, &["newer version", "m29990101_000001_later"]);
    change(
        &file,
        "DELETE FROM seaql_migrations WHERE version <> 'm20260101_000001_foundation'",
    );
    let older = relocate(data.path(), "payment", "sqlite:to.db", &[]);
    refused(&older, 1, &["not up to date", "cleave migrate"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_said() {
    let data = folder();
    let none = relocate(data.path(), "payment", "sqlite:to.db", &[]);
    refused(&none, 1, &["payment.db does not exist", "--data-dir"]);
    assert!(!data.path().join("to.db").exists());
    let nowhere = relocate(data.path(), "payment", "mysql://here/there", &[]);
    refused(
        &nowhere,
        2,
        &["--to", "postgres://", "sqlite:data/payment.db"],
    );
    let nobody = relocate(data.path(), "billing", "sqlite:to.db", &[]);
    refused(&nobody, 2, &["billing", "payment"]);
    stop(serve(data.path(), &[]).await);
    let same = relocate(data.path(), "payment", "sqlite:./payment.db", &[]);
    refused(&same, 1, &["already", "--to"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_its_database_is_no_place_for_another() {
    let data = folder();
    stop(serve(data.path(), &[]).await);
    std::fs::write(data.path().join("to.db-wal"), "what was committed last").expect("written");
    let orphan = relocate(data.path(), "payment", "sqlite:to.db", &[]);
    refused(&orphan, 1, &["to.db-wal", "put it beside that one"]);
    assert!(!data.path().join("to.db").exists());
}
