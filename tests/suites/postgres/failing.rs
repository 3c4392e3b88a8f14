//! A server that answers and yet does not do: it became read-only, lacks a table or
//! a right, or is short of memory. Units wait or fail, and the store's health says why.

use std::time::Duration;

use cleave_store::{PostgresOptions, Store, StoreError, StoreHealth, Tx, Unit};
use cleave_tests::postgres;
use sea_orm::ConnectionTrait;

use super::limits::{Trips, trip};
use super::store::{THINGS, bench, count, error, open, unit_of, until};

/// A store on a database of its own, whose name comes with it.
async fn alone(patience: Duration) -> (Store, String) {
    let owner = postgres::shared().database().await;
    postgres::run(&owner, "CREATE SCHEMA cleave_bench").await;
    let options = PostgresOptions {
        patience,
        look_every: Duration::from_millis(20),
        ..PostgresOptions::default()
    };
    let store = open(&owner, options).await;
    let made: Unit<()> = store
        .write(async |tx: &Tx| Ok(tx.execute_unprepared(THINGS).await.map(drop)?))
        .await;
    made.expect("made");
    let (_, database) = owner.rsplit_once('/').expect("it names a database");
    (store, database.to_owned())
}

/// As a failover does: connections end, and those that come find another server.
async fn fail_over(database: &str, to_read_only: &str) {
    let server = postgres::shared();
    server
        .run(&format!(
            "ALTER DATABASE {database} SET default_transaction_read_only = {to_read_only}"
        ))
        .await;
    server
        .run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        ))
        .await;
}

fn says(store: &Store, part: &str) -> bool {
    matches!(store.health(), StoreHealth::Failing(reason) if reason.contains(part))
}

#[tokio::test]
async fn a_unit_waits_for_a_server_that_takes_no_writes() {
    let (store, database) = alone(Duration::from_mins(1)).await;
    fail_over(&database, "on").await;
    let unit = tokio::task::spawn(unit_of(&store, "a"));
    until("a store that says so", async || {
        says(&store, "takes no writes")
    })
    .await;
    // The connections stay, as those to the former primary would.
    let back = format!("ALTER DATABASE {database} RESET default_transaction_read_only");
    postgres::shared().run(&back).await;
    unit.await.expect("ends").expect("kept");
    until("a store that works", async || {
        store.health() == StoreHealth::Ready
    })
    .await;
    assert_eq!(count(&store, "a").await, 1);
}

#[tokio::test]
async fn a_server_that_stays_read_only_is_named_and_still_answers_queries() {
    let (store, database) = alone(Duration::from_secs(1)).await;
    fail_over(&database, "on").await;
    for _ in 0..3 {
        let refused = error(unit_of(&store, "a").await);
        assert!(
            matches!(&refused, StoreError::Unreachable { reason, .. } if reason.contains("takes no writes")),
            "{refused}"
        );
        assert_eq!(count(&store, "a").await, 0);
        assert!(says(&store, "name its primary"), "{:?}", store.health());
    }
    fail_over(&database, "off").await;
    until("a store that works", async || {
        store.health() == StoreHealth::Ready
    })
    .await;
    unit_of(&store, "a").await.expect("kept");
    assert_eq!(count(&store, "a").await, 1);
}

#[tokio::test]
async fn a_table_or_a_right_that_is_missing_shows_in_the_health() {
    let (_, url) = bench(PostgresOptions::default()).await;
    let (server, schema) = url.split_once("?schema=").expect("it names a schema");
    let role = format!("clerk_{}", schema.trim_start_matches("test_"));
    let granted = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role}; \
         GRANT ALL ON {schema}.thing TO {role}"
    );
    postgres::run(server, &granted).await;
    let options = PostgresOptions {
        look_every: Duration::from_millis(500),
        ..PostgresOptions::default()
    };
    let store = open(&url.replace("//owner@", &format!("//{role}@")), options).await;
    let thing = format!("{schema}.thing");
    for (harm, mend) in [
        (
            format!("REVOKE UPDATE ON {thing} FROM {role}"),
            format!("GRANT UPDATE ON {thing} TO {role}"),
        ),
        (
            format!("ALTER TABLE {thing} RENAME TO gone"),
            format!("ALTER TABLE {schema}.gone RENAME TO thing"),
        ),
    ] {
        postgres::run(server, &harm).await;
        // It is said for as long as statements meet it, and a little longer.
        until("a store that says what it lacks", async || {
            let refused = error(unit_of(&store, "a").await);
            assert!(matches!(refused, StoreError::Database(_)), "{refused}");
            says(&store, "thing") && says(&store, "cleave migrate --grant")
        })
        .await;
        postgres::run(server, &mend).await;
        unit_of(&store, "a").await.expect("kept");
        until("a store that works", async || {
            store.health() == StoreHealth::Ready
        })
        .await;
    }
    assert_eq!(count(&store, "a").await, 2);
}

#[tokio::test]
async fn a_server_short_of_memory_or_disk_is_tried_again_and_then_called_unreachable() {
    let patience = |patience| PostgresOptions {
        patience,
        ..PostgresOptions::default()
    };
    for code in ["53200", "53400", "58030"] {
        let (store, url) = bench(patience(Duration::from_mins(1))).await;
        let (passing, runs) = trip(&store, Trips { code, times: 2 }).await;
        passing.expect("kept");
        assert_eq!((runs, count(&store, "a").await), (3, 1), "{code}");
        let store = open(&url, patience(Duration::from_millis(500))).await;
        let (lasting, _) = trip(&store, Trips { code, times: 1000 }).await;
        let lasting = error(lasting);
        assert!(
            matches!(lasting, StoreError::Unreachable { .. }) && lasting.is_passing(),
            "{lasting}"
        );
        assert_eq!(count(&store, "a").await, 1);
    }
}
