//! A move that is killed in the middle.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use cleave_tests::postgres;
use cleave_tests::program::{Program, path};

use super::{dump, folder, moved, place_of, relocate, serve, stop};

/// Rows enough to be killed among them.
const ROWS: u32 = 40_000;

/// Fills a table of the file as the program would, had it been asked so often.
fn fill(path: &Path) {
    let database = rusqlite::Connection::open(path).expect("it opens");
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) \
         INSERT INTO idempotency (key_hash, digest, status, location, body, sealed, created_at) \
         SELECT randomblob(16), randomblob(16), 201, CASE i % 3 WHEN 0 THEN 'é ' || i END, \
         '{{\"n\":' || i || '}}', i % 2, 1700000000000000 + i FROM n"
    );
    database.execute_batch(&fill).expect("it is filled");
}

/// Starts a move and kills it as soon as it says that something is copied.
fn killed(data: &Path, to: &str, settings: &[(&str, &str)]) {
    let mut process = Command::new(path())
        .args(["move", "payment", "--data-dir", ".", "--to", to])
        .current_dir(data)
        .envs(settings.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let said = BufReader::new(process.stderr.take().expect("piped"));
    let line = said
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("rows copied"));
    assert!(line.is_some(), "it says how far it is");
    process.kill().expect("it is killed");
    process.wait().expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_was_killed_goes_on_and_nobody_opens_half_of_it() {
    let data = folder();
    stop(serve(data.path(), &[]).await);
    let file = data.path().join("payment.db");
    fill(&file);
    let url = postgres::shared().schema().await;
    let setting = place_of("payment");

    killed(data.path(), &url, &[]);
    let half = Program::try_serve(data.path(), &[], &[(&setting, &url)]);
    let log = half.err().expect("half a copy is not opened");
    assert!(log.contains("holds a copy that is not finished"), "{log}");
    let finished = relocate(data.path(), "payment", &url, &[]);
    moved(&finished);
    assert!(
        finished.out.contains("part of it by a run before"),
        "{}",
        finished.out
    );
    let again = relocate(data.path(), "payment", &url, &[]);
    moved(&again);
    assert!(
        again.out.contains("nothing was left to do"),
        "{}",
        again.out
    );

    // The same on the way back.
    let old = data.path().join("old.db");
    std::fs::rename(&file, &old).expect("put out of the way");
    killed(data.path(), "sqlite:payment.db", &[(&setting, &url)]);
    let half = Program::try_serve(data.path(), &[], &[]);
    let log = half.err().expect("half a copy is not opened");
    assert!(log.contains("holds a copy that is not finished"), "{log}");
    moved(&relocate(
        data.path(),
        "payment",
        "sqlite:payment.db",
        &[(&setting, &url)],
    ));
    assert!(dump(&old) == dump(&file), "not a row is lost or changed");
    stop(serve(data.path(), &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_used_in_between_is_noticed() {
    let data = folder();
    stop(serve(data.path(), &[]).await);
    let file = data.path().join("payment.db");
    fill(&file);
    let url = postgres::shared().schema().await;
    killed(data.path(), &url, &[]);
    let database = rusqlite::Connection::open(&file).expect("it opens");
    let change = "UPDATE idempotency SET status = 409 WHERE id = 1";
    database.execute(change, []).expect("it is changed");
    drop(database);
    let ended = relocate(data.path(), "payment", &url, &[]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended
            .err
            .contains("the source was used since the copy began"),
        "{}",
        ended.err
    );
}
