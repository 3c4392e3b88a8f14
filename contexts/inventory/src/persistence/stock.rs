//! Stock moves in one statement for all lines of an order, and only where the
//! movement keeps `0 ≤ reserved ≤ on_hand`: what could not move is absent from
//! the answer, and the use case decides what that means.
//!
//! Movements come in the order of the products' ids. Where a database runs
//! units side by side and two of them should meet in a circle all the same, it
//! refuses one and the store runs that one again.

use std::collections::HashMap;

use cleave_store::Tx;
use cleave_store::sql::{execute, query, values_list};
use cleave_vocabulary::ProductId;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, Value};
use uuid::Uuid;

use super::cells::{column, nonsense};
use super::entities::stock;
use crate::domain::{Movement, StockLevel};

/// Movements in one statement at the most; larger sets take several, so that
/// the statements keep to few shapes.
const CHUNK: usize = 100;

/// Applies what can be applied; answers with what is available afterwards of
/// each product that moved.
pub(crate) async fn hold(
    tx: &Tx,
    movements: &[Movement],
) -> Result<HashMap<ProductId, i64>, DbErr> {
    let mut moved = HashMap::with_capacity(movements.len());
    for chunk in movements.chunks(CHUNK) {
        let returning = " RETURNING product_id, on_hand, reserved";
        let (sql, values) = moving(chunk, returning);
        for row in query(tx, sql, values).await? {
            let level = StockLevel {
                on_hand: column(&row, "on_hand")?,
                reserved: column(&row, "reserved")?,
            };
            let product: Uuid = column(&row, "product_id")?;
            moved.insert(ProductId::from_uuid(product), level.available());
        }
    }
    Ok(moved)
}

/// Applies movements that the reservations vouch for; one that can't be applied
/// means that stock and reservations disagree, and undoes the unit of work.
pub(crate) async fn shift(tx: &Tx, movements: &[Movement]) -> Result<(), DbErr> {
    for chunk in movements.chunks(CHUNK) {
        let (sql, values) = moving(chunk, "");
        if usize::try_from(execute(tx, sql, values).await?) != Ok(chunk.len()) {
            return Err(nonsense("stock for its reservations"));
        }
    }
    Ok(())
}

fn moving(movements: &[Movement], returning: &str) -> (String, Vec<Value>) {
    const HEAD: &str = "UPDATE stock SET on_hand = stock.on_hand + m.column2, \
         reserved = stock.reserved + m.column3 FROM (VALUES ";
    const TAIL: &str = ") AS m WHERE stock.product_id = m.column1 \
         AND stock.reserved + m.column3 >= 0 \
         AND stock.reserved + m.column3 <= stock.on_hand + m.column2";
    let sql = values_list(HEAD, 1, 3, movements.len(), TAIL) + returning;
    let values = movements.iter().flat_map(|movement| {
        [
            movement.product.uuid().into(),
            movement.on_hand.into(),
            movement.reserved.into(),
        ]
    });
    (sql, values.collect())
}

/// The shelf of a new product.
pub(crate) async fn insert_stock(tx: &Tx, product: ProductId, on_hand: i64) -> Result<(), DbErr> {
    let row = stock::ActiveModel {
        product_id: Set(product.uuid()),
        on_hand: Set(on_hand),
        reserved: Set(0),
    };
    stock::Entity::insert(row)
        .exec_without_returning(tx)
        .await
        .map(drop)
}

/// The stock of one product.
pub(crate) async fn stock_of(tx: &Tx, product: ProductId) -> Result<Option<StockLevel>, DbErr> {
    let row = stock::Entity::find_by_id(product.uuid()).one(tx).await?;
    Ok(row.as_ref().map(level))
}

/// The stock of each of these products that exists.
pub(crate) async fn levels(
    tx: &Tx,
    products: impl Iterator<Item = ProductId>,
) -> Result<HashMap<ProductId, StockLevel>, DbErr> {
    let ids: Vec<Uuid> = products.map(ProductId::uuid).collect();
    let mut levels = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let some = stock::Column::ProductId.is_in(chunk.iter().copied());
        let rows = stock::Entity::find().filter(some).all(tx).await?;
        levels.extend(rows.iter().map(known));
    }
    Ok(levels)
}

/// Up to `limit` stocks behind `after`, in the order of their products' ids.
pub(crate) async fn levels_behind(
    tx: &Tx,
    after: Option<ProductId>,
    limit: u64,
) -> Result<Vec<(ProductId, StockLevel)>, DbErr> {
    let mut query = stock::Entity::find().order_by_asc(stock::Column::ProductId);
    if let Some(after) = after {
        query = query.filter(stock::Column::ProductId.gt(after.uuid()));
    }
    let rows = query.limit(limit).all(tx).await?;
    Ok(rows.iter().map(known).collect())
}

fn known(row: &stock::Model) -> (ProductId, StockLevel) {
    (ProductId::from_uuid(row.product_id), level(row))
}

fn level(row: &stock::Model) -> StockLevel {
    StockLevel {
        on_hand: row.on_hand,
        reserved: row.reserved,
    }
}
