//! What carries the events of a context knows it again where it has moved, and
//! nothing else in its place.

use cleave_tests::broker::Broker;
use cleave_tests::postgres;
use cleave_tests::program::Program;

use super::{folder, moved, place_of, relocate, serve, stop};

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_knows_a_context_again_that_has_moved() {
    let (data, broker) = (folder(), Broker::start().await);
    let (broker_url, url) = (broker.url(), postgres::shared().schema().await);
    let setting = place_of("payment");
    let on_a_file = [
        ("CLEAVE__BUS__KIND", "nats"),
        ("CLEAVE__BUS__NATS__URL", broker_url.as_str()),
    ];
    let on_postgres = [on_a_file[0], on_a_file[1], (&*setting, &*url)];
    let file = data.path().join("payment.db");

    stop(serve(data.path(), &on_a_file).await);
    moved(&relocate(data.path(), "payment", &url, &[]));
    stop(serve(data.path(), &on_postgres).await);
    std::fs::rename(&file, file.with_extension("old")).expect("put out of the way");
    let back = "sqlite:payment.db";
    moved(&relocate(data.path(), "payment", back, &on_postgres[2..]));
    stop(serve(data.path(), &on_a_file).await);

    for kept in ["payment.db", "payment.db-wal", "payment.db-shm"] {
        let _ = std::fs::remove_file(data.path().join(kept));
    }
    let place = data.path().to_owned();
    let environment = on_a_file.map(|(name, value)| (name, value.to_owned()));
    let started = tokio::task::spawn_blocking(move || {
        let environment = environment
            .each_ref()
            .map(|(name, value)| (*name, &**value));
        Program::try_serve(&place, &[], &environment)
    });
    let refused = started.await.expect("it ends").err().expect("an empty one");
    let release = "nats kv del cleave-owners owner.payment";
    assert!(refused.contains(release), "{refused}");
}
