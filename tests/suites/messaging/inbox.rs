//! The inbox forgets in the end, and not before.

use std::time::Duration;

use cleave_messaging::{ConsumerOptions, Inbox};
use cleave_store::{Tx, Unit};
use cleave_vocabulary::{Clock, EventId, Timestamp};
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use super::world::World;

/// The id of an event that was made at a moment.
fn made(at: Timestamp) -> EventId {
    let millis = u128::from(at.as_micros().unsigned_abs() / 1000);
    EventId::from_uuid(Uuid::from_u128(millis << 80 | 7 << 76 | 1))
}

async fn handled(world: &World, event: EventId, at: Timestamp) {
    let insert = async move |tx: &Tx| -> Unit<()> {
        let sql = "INSERT INTO inbox (event_id, handler, handled_at) VALUES ($1, $2, $3)";
        let values = [
            event.uuid().into(),
            "recorder".into(),
            at.as_micros().into(),
        ];
        let backend = tx.get_database_backend();
        tx.execute_raw(Statement::from_sql_and_values(backend, sql, values))
            .await?;
        Ok(())
    };
    world.temp.store.write(insert).await.expect("recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_remembers_for_as_long_as_it_is_told() {
    let world = World::new().await;
    let (now, minute) = (world.clock.now(), Duration::from_mins(1));
    let long_ago = now.minus(ConsumerOptions::default().inbox_retention + minute);
    let (old, handled_late, young) = (
        made(long_ago),
        made(long_ago.minus(minute)),
        made(now.minus(minute)),
    );
    handled(&world, old, long_ago).await;
    handled(&world, handled_late, now).await;
    handled(&world, young, now).await;
    let consumer = world.consumer(&["recorder"]).await;
    let missing = async || {
        let all = [old, handled_late, young];
        world
            .read(async move |tx| Inbox::missing(tx, "recorder", &all).await)
            .await
    };
    world
        .eventually("forgetting", async || !missing().await.is_empty())
        .await;
    assert_eq!(missing().await, [old]);
    consumer.stop().await;
}
