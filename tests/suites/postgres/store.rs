//! Units of work side by side: how they collide, wait, and outlive the loss of
//! their connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cleave_store::{PostgresOptions, Store, StoreError, StoreHealth, Tx, Unit, UnitError};
use cleave_tests::postgres::{self, Cut, Proxy, Server};
use sea_orm::{ConnectionTrait, DbErr, Statement};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

pub(super) const THINGS: &str = "CREATE TABLE thing (name text PRIMARY KEY, n bigint NOT NULL); \
     INSERT INTO thing VALUES ('a', 0), ('b', 0)";

pub(super) async fn open(url: &str, options: PostgresOptions) -> Store {
    let store = Store::open_postgres("bench", url, &options).await;
    store.expect("opens")
}

/// A store with two things, and the URL of its schema.
pub(super) async fn bench(options: PostgresOptions) -> (Store, String) {
    let url = postgres::shared().schema().await;
    let store = open(&url, options).await;
    let made: Unit<()> = store
        .write(async |tx: &Tx| Ok(tx.execute_unprepared(THINGS).await.map(drop)?))
        .await;
    made.expect("made");
    (store, url)
}

/// Somebody else's connection to the schema.
pub(super) async fn other(url: &str) -> PgConnection {
    let (server, schema) = url.split_once("?schema=").expect("it names a schema");
    let mut connection = PgConnection::connect(server).await.expect("connects");
    say(&mut connection, &format!("SET search_path = {schema}")).await;
    connection
}

pub(super) async fn say(connection: &mut PgConnection, sql: &str) {
    let said = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())));
    said.await.expect("said");
}

pub(super) async fn add(tx: &Tx, name: &str) -> Result<(), DbErr> {
    let sql = "UPDATE thing SET n = n + 1 WHERE name = $1";
    let backend = tx.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [name.into()]);
    tx.execute_raw(statement).await.map(drop)
}

pub(super) async fn count(store: &Store, name: &'static str) -> i64 {
    let found: Unit<i64> = store
        .read(async move |tx: &Tx| {
            let sql = "SELECT n FROM thing WHERE name = $1";
            let backend = tx.get_database_backend();
            let statement = Statement::from_sql_and_values(backend, sql, [name.into()]);
            let row = tx.query_one_raw(statement).await?.expect("it is there");
            Ok(row.try_get("", "n")?)
        })
        .await;
    found.expect("read")
}

pub(super) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..1000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come about");
}

pub(super) fn error<T: std::fmt::Debug, R: std::fmt::Debug>(outcome: Unit<T, R>) -> StoreError {
    match outcome {
        Err(UnitError::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn units_run_side_by_side_and_one_too_many_is_refused() {
    let options = PostgresOptions {
        writers: 2,
        write_queue: 3,
        ..PostgresOptions::default()
    };
    let (store, url) = bench(options).await;
    let mut holder = other(&url).await;
    say(
        &mut holder,
        "BEGIN; UPDATE thing SET n = n WHERE name = 'a'",
    )
    .await;
    let unit = |name: &'static str| {
        store.write(async move |tx: &Tx| -> Unit<()> { Ok(add(tx, name).await?) })
    };
    let mut held = Vec::new();
    for waiting in 1..=2 {
        held.push(tokio::task::spawn(unit_of(&store, "a")));
        let waits = async || waiting_for_locks(&url).await == waiting;
        until("a unit that waits for a lock", waits).await;
        if waiting == 1 {
            unit("b").await.expect("it runs beside");
        }
    }
    held.extend((0..3).map(|_| tokio::task::spawn(unit_of(&store, "a"))));
    until("a full queue", async || store.waiting() == 3).await;
    let refused = error(unit("b").await);
    assert!(
        matches!(refused, StoreError::Busy { queued: 3, .. }),
        "{refused}"
    );
    say(&mut holder, "COMMIT").await;
    for task in held {
        task.await.expect("ends").expect("kept");
    }
    assert_eq!((count(&store, "a").await, count(&store, "b").await), (5, 1));
    store.close().await;
    let closed = error(unit("a").await);
    assert!(matches!(closed, StoreError::Closed { .. }), "{closed}");
}

pub(super) fn unit_of(store: &Store, name: &'static str) -> impl Future<Output = Unit<()>> + use<> {
    let store = store.clone();
    async move {
        store
            .write(async move |tx: &Tx| -> Unit<()> { Ok(add(tx, name).await?) })
            .await
    }
}

async fn waiting_for_locks(url: &str) -> i64 {
    let (server, schema) = url.split_once("?schema=").expect("it names a schema");
    let mut connection = PgConnection::connect(server).await.expect("connects");
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid IN \
         (SELECT pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation \
          JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = $1)";
    let count = sqlx::query_scalar(sql)
        .bind(schema)
        .fetch_one(&mut connection);
    count.await.expect("counted")
}

#[tokio::test]
async fn a_unit_that_waits_for_something_else_is_rolled_back_and_its_locks_are_free() {
    let (store, _) = bench(PostgresOptions::default()).await;
    let stuck: Unit<()> = store
        .write(async |tx: &Tx| {
            add(tx, "a").await?;
            std::future::pending::<()>().await;
            Ok(())
        })
        .await;
    assert!(matches!(error(stuck), StoreError::Suspended));
    let panicked: Unit<()> = store
        .write(async |tx: &Tx| {
            add(tx, "a").await?;
            panic!("a defect")
        })
        .await;
    assert!(matches!(error(panicked), StoreError::Panicked(_)));
    unit_of(&store, "a").await.expect("kept");
    assert_eq!(count(&store, "a").await, 1);
}

#[tokio::test]
async fn a_statement_that_fails_costs_the_unit_and_an_attempt_only_its_part() {
    let (store, _) = bench(PostgresOptions::default()).await;
    let insert = "INSERT INTO thing VALUES ('a', 1)";
    let ignored: Unit<()> = store
        .write(async move |tx: &Tx| {
            add(tx, "b").await?;
            assert!(tx.execute_unprepared(insert).await.is_err());
            Ok(())
        })
        .await;
    assert!(matches!(error(ignored), StoreError::Database(_)));
    assert_eq!(count(&store, "b").await, 0);
    let attempted: Unit<()> = store
        .write(async move |tx: &Tx| {
            add(tx, "b").await?;
            let part =
                async |tx: &Tx| -> Unit<()> { Ok(tx.execute_unprepared(insert).await.map(drop)?) };
            let part = tx.attempt(part).await?;
            assert!(part.is_err());
            add(tx, "b").await?;
            Ok(())
        })
        .await;
    attempted.expect("kept");
    assert_eq!(count(&store, "b").await, 2);
}

/// The unit ties the knot, with the last lock of the two, and is the one that finds
/// it: a server looks for a deadlock once in each wait, and not before its time.
#[tokio::test]
async fn a_deadlock_is_tried_again() {
    let long = Duration::from_mins(5);
    let options = PostgresOptions {
        // A group gives up a lock before anybody looks.
        group_limit: 1,
        lock_timeout: long,
        statement_timeout: long,
        ..PostgresOptions::default()
    };
    let (_, url) = bench(options.clone()).await;
    let store = open(&format!("{url}&options[deadlock_timeout]=10ms"), options).await;
    let (mut gate, mut holder) = (other(&url).await, other(&url).await);
    say(
        &mut gate,
        "BEGIN; SELECT pg_advisory_xact_lock(hashtext(current_schema()))",
    )
    .await;
    let held = "SET deadlock_timeout = '5min'; BEGIN; UPDATE thing SET n = n WHERE name = 'b'";
    say(&mut holder, held).await;
    let waiting = async |units| {
        until("a wait for a lock", async || {
            waiting_for_locks(&url).await == units
        })
        .await;
    };

    let runs = Arc::new(AtomicU32::new(0));
    let (counted, writer) = (runs.clone(), store.clone());
    let unit = tokio::task::spawn(async move {
        let unit = async move |tx: &Tx| -> Unit<()> {
            counted.fetch_add(1, Ordering::SeqCst);
            add(tx, "a").await?;
            tx.execute_unprepared(
                "SELECT pg_advisory_xact_lock_shared(hashtext(current_schema()))",
            )
            .await?;
            Ok(add(tx, "b").await?)
        };
        writer.write(unit).await
    });
    waiting(1).await;
    let holder = tokio::task::spawn(async move {
        let wanted = "UPDATE thing SET n = n WHERE name = 'a'; COMMIT";
        say(&mut holder, wanted).await;
    });
    waiting(2).await;
    say(&mut gate, "COMMIT").await;
    unit.await.expect("ends").expect("kept");
    holder.await.expect("ends");
    // Once more for each time that it was quicker to the first row than who waits for it.
    assert!(runs.load(Ordering::SeqCst) >= 2);
    assert_eq!((count(&store, "a").await, count(&store, "b").await), (1, 1));
}

#[tokio::test]
async fn a_wait_for_a_lock_comes_to_an_end() {
    let options = PostgresOptions {
        lock_timeout: Duration::from_millis(50),
        ..PostgresOptions::default()
    };
    let (store, url) = bench(options).await;
    let mut holder = other(&url).await;
    say(
        &mut holder,
        "BEGIN; UPDATE thing SET n = n WHERE name = 'a'",
    )
    .await;
    let late = error(unit_of(&store, "a").await);
    assert!(
        matches!(late, StoreError::TimedOut { .. }) && late.is_passing(),
        "{late}"
    );
    assert_eq!(store.health(), StoreHealth::Ready);
}

/// Reads the same number twice, each time behind a lock that the test may hold.
async fn read_twice(store: Store) -> (i64, i64) {
    let look = async |tx: &Tx| -> Result<i64, DbErr> {
        let sql = "SELECT n, pg_advisory_xact_lock_shared(7)::text FROM thing WHERE name = 'a'";
        let backend = tx.get_database_backend();
        let row = tx
            .query_one_raw(Statement::from_string(backend, sql))
            .await?;
        row.expect("it is there").try_get("", "n")
    };
    let query = store.read(async move |tx: &Tx| Ok((look(tx).await?, look(tx).await?)));
    let seen: Unit<(i64, i64)> = query.await;
    seen.expect("read")
}

#[tokio::test]
async fn a_query_sees_one_snapshot() {
    let (store, url) = bench(PostgresOptions::default()).await;
    let mut holder = other(&url).await;
    // The first time nobody knows that the query has two statements: it begins
    // without a transaction, and again in one behind the commit. The second time
    // it has its transaction from the start, before the commit.
    for seen_by_it in [(1, 1), (1, 1)] {
        say(&mut holder, "BEGIN; SELECT pg_advisory_xact_lock(7)").await;
        let seen = tokio::task::spawn(read_twice(store.clone()));
        until("a query that waits", async || {
            waiting_for_locks(&url).await == 1
        })
        .await;
        unit_of(&store, "a").await.expect("kept");
        say(&mut holder, "COMMIT").await;
        assert_eq!(seen.await.expect("ends"), seen_by_it);
    }
    assert_eq!(count(&store, "a").await, 2);
}

#[tokio::test]
async fn a_query_writes_nothing() {
    let (store, _url) = bench(PostgresOptions::default()).await;
    let alone: Unit<()> = store.read(async |tx: &Tx| Ok(add(tx, "a").await?)).await;
    assert!(matches!(error(alone), StoreError::Database(_)));
    let behind = store.read(async |tx: &Tx| -> Unit<()> {
        tx.execute_unprepared("SELECT 1").await?;
        Ok(add(tx, "a").await?)
    });
    assert!(matches!(error(behind.await), StoreError::Database(_)));
    assert_eq!(count(&store, "a").await, 0);
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_commit_costs_nothing() {
    let (direct, url) = bench(PostgresOptions::default()).await;
    let proxy = Proxy::before(&url).await;
    let store = open(&proxy.url, PostgresOptions::default()).await;
    for (at, heard) in [("UPDATE thing", true), ("BEGIN", false), ("BEGIN", true)] {
        proxy.cut(Cut { at, heard });
        unit_of(&store, "a").await.expect("kept");
        assert!(proxy.has_cut(), "{at} {heard}");
    }
    assert_eq!(count(&direct, "a").await, 3);
    assert_eq!(store.health(), StoreHealth::Ready);
}

#[tokio::test]
async fn a_commit_that_is_not_answered_is_unknown_and_not_repeated() {
    let (direct, url) = bench(PostgresOptions::default()).await;
    let proxy = Proxy::before(&url).await;
    let store = open(&proxy.url, PostgresOptions::default()).await;
    proxy.cut(Cut {
        at: "COMMIT",
        heard: true,
    });
    let lost = error(unit_of(&store, "a").await);
    assert!(lost.outcome_unknown() && lost.is_passing(), "{lost}");
    until("the commit", async || count(&direct, "a").await == 1).await;
    proxy.cut(Cut {
        at: "COMMIT",
        heard: false,
    });
    let lost = error(unit_of(&store, "b").await);
    assert!(lost.outcome_unknown(), "{lost}");
    unit_of(&store, "a").await.expect("kept");
    assert_eq!(
        (count(&direct, "a").await, count(&direct, "b").await),
        (2, 0)
    );
}

#[tokio::test]
async fn the_store_outlives_a_restart_of_the_server_and_says_how_it_is() {
    let server = Server::start("");
    let options = PostgresOptions {
        patience: Duration::from_millis(500),
        look_every: Duration::from_millis(50),
        ..PostgresOptions::default()
    };
    let store = open(&server.schema().await, options).await;
    let made: Unit<()> = store
        .write(async |tx: &Tx| Ok(tx.execute_unprepared(THINGS).await.map(drop)?))
        .await;
    made.expect("made");
    let asked = store.clone();
    let server = server
        .restart(async move || {
            let fails = async || matches!(asked.health(), StoreHealth::Failing(_));
            until("a store that says so", fails).await;
            let away = error(unit_of(&asked, "a").await);
            assert!(matches!(away, StoreError::Unreachable { .. }), "{away}");
        })
        .await;
    until("a store that works", async || {
        store.health() == StoreHealth::Ready
    })
    .await;
    unit_of(&store, "a").await.expect("kept");
    assert_eq!(count(&store, "a").await, 1);
    store.close().await;
    drop(server);
}
