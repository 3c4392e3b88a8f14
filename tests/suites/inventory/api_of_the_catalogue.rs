//! Paging and searching the catalogue over HTTP.

use cleave_inventory::ProductRow;
use cleave_tests::snapshots::masked;
use cleave_vocabulary::{Currency, Money};
use insta::assert_json_snapshot;
use serde_json::Value;

use super::shop::{Shop, row};

const PRODUCTS: &str = "/api/v1/inventory/products";

async fn page(shop: &Shop, query: &str) -> Value {
    let told = shop.api.get(&format!("{PRODUCTS}{query}")).send().await;
    told.expect(200).json
}

fn skus(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    let skus = items
        .iter()
        .map(|item| item["sku"].as_str().expect("a sku"));
    skus.collect()
}

async fn found(shop: &Shop, search: &str) -> Vec<String> {
    let page = page(shop, &format!("?search={search}")).await;
    skus(&page).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_catalogue_is_paged_newest_first() {
    let shop = Shop::open().await;
    shop.stocked([5, 4, 3]).await;
    let first = page(&shop, "?limit=2").await;
    assert_json_snapshot!(masked(&first));
    // A page stays what it is while products are added.
    let late = [row("LATE", 1)];
    shop.catalogue
        .import_products(&late)
        .await
        .expect("imports");
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let second = page(&shop, &format!("?limit=2&cursor={cursor}")).await;
    assert_eq!(skus(&second), ["SKU-0000"]);
    assert_eq!(second["next_cursor"], Value::Null);
    assert_eq!(skus(&page(&shop, "").await)[0], "LATE");
}

#[tokio::test]
async fn a_search_looks_into_sku_and_name_whatever_the_case() {
    let shop = Shop::open().await;
    let named = |sku: &str, name: &str| ProductRow {
        sku: sku.into(),
        name: name.into(),
        price: Money::new(1, Currency::GBP),
        on_hand: 0,
    };
    let rows = [
        named("10002", "INFLATABLE POLITICAL GLOBE"),
        named("15056BL", "Edwardian Parasol, 50% off"),
        named("under_score", "Ölkanne!"),
    ];
    shop.catalogue
        .import_products(&rows)
        .await
        .expect("imports");
    assert_eq!(found(&shop, "globe").await, ["10002"]);
    assert_eq!(found(&shop, "056bl").await, ["15056BL"]);
    assert_eq!(found(&shop, "%C3%B6LK").await, ["under_score"]);
    assert_eq!(found(&shop, "%25").await, ["15056BL"], "a sign, no pattern");
    assert_eq!(found(&shop, "r_s").await, ["under_score"]);
    assert_eq!(found(&shop, "!").await, ["under_score"]);
    assert_eq!(found(&shop, "%20globe%20").await, ["10002"]);
    assert_eq!(found(&shop, "").await.len(), 3);
}

#[tokio::test]
async fn a_search_is_paged_too() {
    let shop = Shop::open().await;
    let rows: Vec<_> = (0..50).map(|n| row(&format!("A{n}"), 1)).collect();
    shop.catalogue
        .import_products(&rows)
        .await
        .expect("imports");
    let mut seen = vec![];
    let mut query = "?search=a1&limit=4".to_owned();
    loop {
        let page = page(&shop, &query).await;
        seen.extend(skus(&page).into_iter().map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?search=a1&limit=4&cursor={cursor}"),
            None => break,
        }
    }
    let mut expected: Vec<_> = (10..20).rev().map(|n| format!("A{n}")).collect();
    expected.push("A1".into());
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn parameters_out_of_their_range_are_named() {
    let shop = Shop::open().await;
    let long = format!("?search={}", "x".repeat(201));
    for (query, field) in [
        (long.as_str(), "search"),
        ("?search=10002%0Ainfl", "search"),
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?cursor=nonsense", "cursor"),
    ] {
        let told = shop.api.get(&format!("{PRODUCTS}{query}")).send().await;
        let told = told.expect(422);
        assert_eq!(told.json["errors"][0]["field"], field, "{query}");
    }
}
