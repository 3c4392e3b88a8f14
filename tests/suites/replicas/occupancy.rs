//! A schema is one process's alone, unless all that use it share it.

use std::time::Duration;

use cleave::assembly::World;
use cleave::service::Service;
use cleave::settings::{DatabaseUrl, Settings};
use cleave_store::{
    OpenError, PostgresOptions, Store, StoreError, StoreHealth, Tx, Unit, UnitError,
};
use cleave_tests::clocks::Ahead;
use cleave_tests::link::{Link, State};
use cleave_tests::postgres;
use sqlx::{Connection, PgConnection};

use super::{eventually, replica};

async fn alone(url: &str) -> Result<Store, OpenError> {
    let store = Store::open_postgres("order", url, &PostgresOptions::default()).await?;
    store.occupy().await.map(|()| store)
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_share_a_schema_refuse_one_that_does_not() {
    let url = postgres::shared().schema().await;
    let (one, other) = (replica(&url).await, replica(&url).await);
    let error = alone(&url).await.err().expect("it is in use");
    assert!(matches!(error, OpenError::Occupied { shared: false, .. }));
    one.close().await;
    other.close().await;
    let store = alone(&url).await.expect("it is free");
    let late = Store::open_postgres("order", &url, &PostgresOptions::default()).await;
    let late = late.expect("to look is allowed");
    late.share();
    let error = late.occupy().await.expect_err("it is one's alone");
    assert!(error.to_string().contains("shares with nobody"), "{error}");
    late.close().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shares_a_schema_does_it_over_one_bus() {
    let url = postgres::shared().schema().await;
    let over = async |bus: &str| {
        let store = Store::open_postgres("order", &url, &PostgresOptions::default()).await;
        let store = store.expect("to look is allowed");
        store.share_over(bus);
        store.occupy().await.map(|()| store)
    };
    let (one, other) = (over("a").await.expect("first"), over("a").await);
    let error = over("b").await.err().expect("nobody would hear it");
    assert!(matches!(error, OpenError::OtherBus { .. }), "{error}");
    other.expect("the same").close().await;
    one.close().await;
    over("b").await.expect("all have changed").close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_over_the_bus_of_one_is_refused_and_told_what_to_set() {
    let mut settings = Settings::default();
    settings.http.listen = "127.0.0.1:0".parse().expect("an address");
    settings.database.order.url = Some(DatabaseUrl(postgres::shared().schema().await));
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let start = async |folder: &tempfile::TempDir| {
        let mut settings = settings.clone();
        settings.data_dir = folder.path().to_owned();
        Box::pin(Service::start(&settings, World::default(), false)).await
    };
    let first = start(&folders[0]).await.expect("alone");
    let refused = start(&folders[1])
        .await
        .err()
        .expect("not alone")
        .to_string();
    for part in [
        "database.order.url: ",
        "set bus.kind to \"nats\"",
        "stop it",
    ] {
        assert!(refused.contains(part), "`{part}` is not in: {refused}");
    }
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_clock_is_wrong_is_told_so_at_the_start() {
    let url = postgres::shared().schema().await;
    let options = PostgresOptions {
        clock: Ahead(Duration::from_mins(2)).own(),
        ..PostgresOptions::default()
    };
    let store = Store::open_postgres("order", &url, &options).await;
    let store = store.expect("to look is allowed");
    let refused = store.occupy().await.expect_err("it is two minutes ahead");
    assert!(
        matches!(&refused, OpenError::ClocksApart { ahead: true, .. }),
        "{refused}"
    );
    for part in ["database.postgres.clock_tolerance allows 10s", "NTP"] {
        assert!(refused.to_string().contains(part), "{refused}");
    }
    store.close().await;
    let right = alone(&url).await.expect("the place is free again");
    right.close().await;
}

async fn unit(store: &Store) -> Unit<()> {
    store.write(async |_: &Tx| -> Unit<()> { Ok(()) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_place_another_took_takes_no_units_until_it_is_back() {
    const WAIT: &str = "SELECT pg_advisory_lock(hashtext('cleave process'), hashtext($1))";
    const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' \
         AND granted AND classid = hashtext('cleave process')::int8 & 4294967295 \
         AND objid = hashtext($1)::int8 & 4294967295";
    const WAITS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
         AND objid = hashtext($1)::int8 & 4294967295";
    let url = postgres::shared().schema().await;
    let (server, schema) = url.split_once("?schema=").expect("it names a schema");
    let options = PostgresOptions {
        look_every: Duration::from_millis(20),
        ..PostgresOptions::default()
    };
    let store = Store::open_postgres("order", &url, &options).await;
    let store = store.expect("opens");
    store.occupy().await.expect("alone");
    unit(&store).await.expect("kept");

    let mut other = PgConnection::connect(server).await.expect("connects");
    let mut hand = PgConnection::connect(server).await.expect("connects");
    let taking = async {
        let take = sqlx::query(WAIT).bind(schema).execute(&mut other);
        take.await.expect("it has the place");
    };
    let ending = async {
        loop {
            let waits = sqlx::query_scalar(WAITS).bind(schema);
            let waits: i64 = waits.fetch_one(&mut hand).await.expect("counted");
            if waits == 1 {
                break;
            }
        }
        let end = sqlx::query(END).bind(schema).execute(&mut hand);
        end.await.expect("ended");
    };
    tokio::join!(taking, ending);
    eventually("the loss", async || {
        matches!(store.health(), StoreHealth::Failing(why) if why.contains("stop one of them"))
    })
    .await;
    let refused = unit(&store).await;
    assert!(
        matches!(
            &refused,
            Err(UnitError::Failed(error @ StoreError::Unreachable { .. })) if error.is_passing()
        ),
        "{refused:?}"
    );
    other.close().await.expect("it goes");
    eventually("its return", async || store.health() == StoreHealth::Ready).await;
    unit(&store).await.expect("kept");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_is_woken_and_a_store_closes_while_its_server_says_nothing() {
    let url = postgres::shared().schema().await;
    let (head, rest) = url.split_once('@').expect("it names a user");
    let (server, rest) = rest.split_once('/').expect("it names a database");
    let link = Link::before(server.parse().expect("an address")).await;
    let options = PostgresOptions {
        look_every: Duration::from_millis(1),
        poll: Duration::from_millis(20),
        connect_timeout: Duration::from_secs(3),
        statement_timeout: Duration::from_secs(4),
        ..PostgresOptions::default()
    };
    let url = format!("{head}@{}/{rest}", link.address);
    let store = Store::open_postgres("order", &url, &options).await;
    let store = store.expect("opens");
    store.share();
    store.occupy().await.expect("shared");
    unit(&store).await.expect("kept");
    let heard = store.on("something");
    link.set(State::Silent);
    // More often than looks can end in this time.
    let woken = async {
        for _ in 0..20 {
            heard.notified().await;
        }
    };
    let woken = tokio::time::timeout(Duration::from_secs(6), woken).await;
    woken.expect("the look that waits is in nobody's way");
    let closed = tokio::time::timeout(Duration::from_mins(1), store.close()).await;
    closed.expect("it waits for no goodbye");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_refused_has_changed_nothing_below_who_works_there() {
    let url = postgres::shared().schema().await;
    let older = alone(&url).await.expect("the place is free");
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = Settings {
        data_dir: folder.path().to_owned(),
        ..Settings::default()
    };
    settings.database.order.url = Some(DatabaseUrl(url));
    let refused = Box::pin(Service::start(&settings, World::default(), false)).await;
    refused.err().expect("somebody works there");
    let behind = older.verify::<cleave_migrations::order::Migrator>().await;
    assert!(
        matches!(behind, Err(OpenError::Behind { .. })),
        "{behind:?}"
    );
    older.close().await;
}
