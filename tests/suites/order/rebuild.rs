//! The read model, made anew from the history.

use cleave_store::{Store, Tx, Unit};
use cleave_tests::audits::tamper;
use sea_orm::{ConnectionTrait, Statement};

use super::shop::Then;
use super::world::{World, body, id_of};

async fn view(store: &Store) -> Vec<(Vec<u8>, String)> {
    let read = async |tx: &Tx| -> Unit<Vec<(Vec<u8>, String)>> {
        let sql = "SELECT order_id, status FROM order_view ORDER BY order_id";
        let statement = Statement::from_string(tx.get_database_backend(), sql);
        let mut rows = Vec::new();
        for row in tx.query_all_raw(statement).await? {
            let id: uuid::Uuid = row.try_get("", "order_id")?;
            rows.push((id.as_bytes().to_vec(), row.try_get("", "status")?));
        }
        Ok(rows)
    };
    store.read(read).await.expect("rows")
}

async fn spoil(store: &Store) {
    tamper(store, "UPDATE order_view SET status = 'delivered'").await;
}

#[tokio::test]
async fn the_history_tells_the_read_model_all_it_needs() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 100);
    for _ in 0..3 {
        world.place_and_wait(&body(&[(tea, 1)])).await;
    }
    world
        .shop
        .script("charge", [Then::Refuse("payment_declined", "No.")]);
    world.place_and_wait(&body(&[(tea, 1)])).await;
    let shipped = id_of(&world.place_and_wait(&body(&[(tea, 1)])).await);
    world.shop.dispatch(shipped).await;
    world.quiet().await;
    let before = view(world.store()).await;
    assert_eq!(before.len(), 5);
    spoil(world.store()).await;
    let check = world
        .audit()
        .await
        .into_iter()
        .find(|it| it.name.contains("read_model"));
    assert_eq!(check.expect("a check").violations.len(), 5);
    let mut told = Vec::new();
    let read = world
        .rebuild
        .run(|read| told.push(read))
        .await
        .expect("rebuilt");
    assert_eq!(told.last(), Some(&read));
    assert_eq!(view(world.store()).await, before);
    world.close().await;
}

#[tokio::test]
async fn it_may_be_made_while_orders_come_in() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 1000);
    let asked = body(&[(tea, 1)]);
    let placing = async {
        for _ in 0..20 {
            let id = id_of(&world.place_and_wait(&asked).await);
            world.shop.dispatch(id).await;
        }
    };
    let rebuilding = async {
        for _ in 0..20 {
            world.rebuild.run(|_| {}).await.expect("rebuilt");
        }
    };
    futures::join!(placing, rebuilding);
    // The audit compares every order with the read model.
    world.close().await;
}
