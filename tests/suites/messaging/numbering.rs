//! Numbers of events over concurrent writers, which SQLite has none of: the
//! relay passes no number that may still be committed.

use std::sync::Arc;
use std::time::Duration;

use cleave_messaging::{EventBus, Outbox};
use cleave_migrations::order::Migrator;
use cleave_store::{Tx, Unit, UnitError};
use cleave_tests::postgres;
use cleave_tests::stores::TempStore;
use cleave_vocabulary::EventId;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::relay::Listening;
use super::world::World;

/// A world over Postgres, and somebody else's connection to the same schema.
async fn worlds() -> (World, PgConnection) {
    let url = postgres::shared().schema().await;
    let world = World::over(TempStore::at::<Migrator>(&url).await).await;
    let (server, schema) = url.split_once("?schema=").expect("it names a schema");
    let mut other = PgConnection::connect(server).await.expect("connects");
    say(&mut other, &format!("SET search_path = {schema}")).await;
    (world, other)
}

async fn say(connection: &mut PgConnection, sql: &str) {
    let said = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())));
    said.await.expect("said");
}

/// Draws the next number in a transaction that stays open.
async fn draw(world: &World, other: &mut PgConnection) -> EventId {
    let event = world.event("late");
    let text = serde_json::to_string(&*event).expect("JSON");
    say(other, "BEGIN").await;
    let insert = sqlx::query("INSERT INTO outbox (subject, envelope) VALUES ('late', $1)");
    insert.bind(text).execute(other).await.expect("inserted");
    event.id
}

#[tokio::test]
async fn an_event_that_commits_late_is_not_overtaken() {
    let (world, mut other) = worlds().await;
    let (first, late) = (world.emit(&["a"]).await, draw(&world, &mut other).await);
    let behind = world.emit(&["b", "c"]).await;
    let bus = Arc::new(Listening::default());
    let (relay, handle) = world.relay_to(bus.clone() as Arc<dyn EventBus>);
    world
        .eventually("the first", async || bus.published() == first)
        .await;
    // Long enough for whoever would pass it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bus.published(), first);
    say(&mut other, "COMMIT").await;
    let all = [&first[..], &[late], &behind].concat();
    world
        .eventually("all of them", async || bus.published() == all)
        .await;
    handle.settled().await.expect("settled");
    assert_eq!(world.read(Outbox::unsettled).await, 0);
    relay.stop().await;
}

#[tokio::test]
async fn a_number_that_was_drawn_in_vain_is_passed() {
    let (world, mut other) = worlds().await;
    draw(&world, &mut other).await;
    let behind = world.emit(&["b"]).await;
    let bus = Arc::new(Listening::default());
    let (relay, handle) = world.relay_to(bus.clone() as Arc<dyn EventBus>);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(bus.published().is_empty());
    say(&mut other, "ROLLBACK").await;
    world
        .eventually("the one behind", async || bus.published() == behind)
        .await;
    handle.settled().await.expect("settled");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_side_by_side_lose_no_event_and_keep_each_subjects_order() {
    const WRITERS: usize = 12;
    const UNITS: usize = 40;
    let (world, _other) = worlds().await;
    let bus = Arc::new(Listening::default());
    let (relay, handle) = world.relay_to(bus.clone() as Arc<dyn EventBus>);
    let write = async |writer: usize| {
        let mut kept = Vec::new();
        for unit in 0..UNITS {
            let subject = format!("subject-{writer}");
            let events: Vec<_> = (0..=unit % 3)
                .map(|_| world.event(&subject).as_ref().clone())
                .collect();
            let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
            let undone = unit % 5 == 4;
            let append = async move |tx: &Tx| -> Unit<(), ()> {
                Outbox::append(tx, &events).await?;
                if undone {
                    Err(UnitError::Refused(()))
                } else {
                    Ok(())
                }
            };
            if world.temp.store.write(append).await.is_ok() {
                kept.extend(ids);
            }
        }
        kept
    };
    let kept = futures::future::join_all((0..WRITERS).map(write)).await;
    handle.settled().await.expect("settled");
    let published = bus.published();
    assert_eq!(published.len(), kept.iter().map(Vec::len).sum::<usize>());
    for ids in kept {
        let own = published.iter().filter(|id| ids.contains(id));
        assert!(own.eq(&ids), "out of order");
    }
    relay.stop().await;
}
