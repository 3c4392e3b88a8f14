//! A schema is one process's alone, unless all that use it share it.

use cleave::assembly::World;
use cleave::service::Service;
use cleave::settings::{DatabaseUrl, Settings};
use cleave_store::{OpenError, PostgresOptions, Store};
use cleave_tests::postgres;

use super::replica;

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
