//! The catalogue's rows.

use std::collections::{HashMap, HashSet};

use cleave_inventory_contract::port::QuotedProduct;
use cleave_store::Tx;
use cleave_store::sql::{in_list, query};
use cleave_vocabulary::{Currency, Money, ProductId, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QueryResult, QuerySelect, Set,
};
use uuid::Uuid;

use super::cells::{column, nonsense};
use super::entities::{product, stock};
use crate::domain::{Product, StockLevel, searchable};

/// Ids in one statement at the most.
const CHUNK: usize = 500;

/// A product and what is on its shelf.
type Listed = (Product, StockLevel);

/// Adds a product; false where the sku is another's already.
pub(crate) async fn insert_product(tx: &Tx, product: &Product) -> Result<bool, DbErr> {
    let skip = OnConflict::column(product::Column::Sku)
        .do_nothing()
        .to_owned();
    let inserted = product::Entity::insert(row(product).into_active_model())
        .on_conflict(skip)
        .exec_without_returning(tx)
        .await?;
    Ok(inserted == 1)
}

/// Adds the products whose skus are not in the catalogue yet, each with its
/// first stock; answers how many.
pub(crate) async fn import(tx: &Tx, products: &[(Product, i64)]) -> Result<u64, DbErr> {
    let skus = products.iter().map(|(product, _)| product.sku.as_str());
    let known: Vec<String> = product::Entity::find()
        .select_only()
        .column(product::Column::Sku)
        .filter(product::Column::Sku.is_in(skus))
        .into_tuple()
        .all(tx)
        .await?;
    let known: HashSet<String> = known.into_iter().collect();
    let fresh = |(product, _): &&(Product, i64)| !known.contains(&product.sku);
    let (rows, shelves): (Vec<_>, Vec<_>) = products
        .iter()
        .filter(fresh)
        .map(|(product, on_hand)| {
            let shelf = stock::ActiveModel {
                product_id: Set(product.id.uuid()),
                on_hand: Set(*on_hand),
                reserved: Set(0),
            };
            (row(product).into_active_model(), shelf)
        })
        .unzip();
    if rows.is_empty() {
        return Ok(0);
    }
    let inserted = product::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    stock::Entity::insert_many(shelves)
        .exec_without_returning(tx)
        .await?;
    Ok(inserted)
}

/// One product with its stock.
pub(crate) async fn find_product(tx: &Tx, id: ProductId) -> Result<Option<Listed>, DbErr> {
    let found = product::Entity::find_by_id(id.uuid())
        .find_also_related(stock::Entity)
        .one(tx)
        .await?;
    found.map(listed).transpose()
}

/// Up to `limit` products older than `before`, newest first, that bear `search`
/// in sku or name.
pub(crate) async fn list_products(
    tx: &Tx,
    search: Option<&str>,
    before: Option<ProductId>,
    limit: u64,
) -> Result<Vec<Listed>, DbErr> {
    // Ids rise with the time they were made.
    let mut query = product::Entity::find()
        .find_also_related(stock::Entity)
        .order_by_desc(product::Column::Id);
    if let Some(before) = before {
        query = query.filter(product::Column::Id.lt(before.uuid()));
    }
    if let Some(search) = search {
        let pattern = LikeExpr::new(containing(search)).escape('!');
        query = query.filter(Expr::col(product::Column::SearchText).like(pattern));
    }
    let rows = query.limit(limit).all(tx).await?;
    rows.into_iter().map(listed).collect()
}

/// A pattern for `LIKE … ESCAPE '!'` that finds the text anywhere.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in searchable(text).chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// Writes the next version; false where `before` is no longer the version.
pub(crate) async fn update_product(tx: &Tx, next: &Product, before: i64) -> Result<bool, DbErr> {
    let done = product::Entity::update_many()
        .set(row(next).into_active_model().reset_all())
        .filter(product::Column::Id.eq(next.id.uuid()))
        .filter(product::Column::Version.eq(before))
        .exec(tx)
        .await?;
    Ok(done.rows_affected == 1)
}

/// What is sold and at which price, in one statement.
pub(crate) async fn quote(tx: &Tx, ids: &[ProductId]) -> Result<Vec<QuotedProduct>, DbErr> {
    const OF: &str = "SELECT products.id, products.sku, products.name, products.price_amount, \
         products.price_currency, stock.on_hand, stock.reserved FROM products \
         JOIN stock ON stock.product_id = products.id WHERE products.id IN ";
    let mut products = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let sql = in_list(OF, 1, chunk.len());
        let values = chunk.iter().map(|id| id.uuid().into());
        let rows = query(tx, sql, values).await?;
        for row in &rows {
            products.push(quoted(row)?);
        }
    }
    Ok(products)
}

fn quoted(row: &QueryResult) -> Result<QuotedProduct, DbErr> {
    let id: Uuid = column(row, "id")?;
    let code: String = column(row, "price_currency")?;
    let on_hand: i64 = column(row, "on_hand")?;
    let reserved: i64 = column(row, "reserved")?;
    Ok(QuotedProduct {
        product_id: ProductId::from_uuid(id),
        sku: column(row, "sku")?,
        name: column(row, "name")?,
        unit_price: Money::new(column(row, "price_amount")?, currency(&code)?),
        available: StockLevel { on_hand, reserved }.available(),
    })
}

/// The skus of these products.
pub(crate) async fn skus(
    tx: &Tx,
    ids: impl Iterator<Item = ProductId>,
) -> Result<HashMap<ProductId, String>, DbErr> {
    let rows: Vec<(Uuid, String)> = product::Entity::find()
        .select_only()
        .columns([product::Column::Id, product::Column::Sku])
        .filter(product::Column::Id.is_in(ids.map(ProductId::uuid)))
        .into_tuple()
        .all(tx)
        .await?;
    let named = |(id, sku)| (ProductId::from_uuid(id), sku);
    Ok(rows.into_iter().map(named).collect())
}

fn row(product: &Product) -> product::Model {
    product::Model {
        id: product.id.uuid(),
        sku: product.sku.clone(),
        name: product.name.clone(),
        description: product.description.clone(),
        price_amount: product.price.amount,
        price_currency: product.price.currency.code().to_owned(),
        search_text: searchable(&format!("{}\n{}", product.sku, product.name)),
        version: product.version,
        created_at: product.created_at.as_micros(),
        updated_at: product.updated_at.as_micros(),
    }
}

fn listed((row, shelf): (product::Model, Option<stock::Model>)) -> Result<Listed, DbErr> {
    let shelf = shelf.ok_or_else(|| nonsense("product with stock"))?;
    let product = Product {
        id: ProductId::from_uuid(row.id),
        sku: row.sku,
        name: row.name,
        description: row.description,
        price: Money::new(row.price_amount, currency(&row.price_currency)?),
        version: row.version,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    };
    let level = StockLevel {
        on_hand: shelf.on_hand,
        reserved: shelf.reserved,
    };
    Ok((product, level))
}

fn currency(code: &str) -> Result<Currency, DbErr> {
    code.parse().map_err(|_| nonsense("currency"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_signs_that_patterns_use() {
        assert_eq!(containing("50%_Off!"), "%50!%!_off!!%");
    }
}
