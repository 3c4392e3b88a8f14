//! The demo shop: a real catalogue, an admin and a customer, and a few lines
//! that say what to do next. Catalogue and recorded orders are from *Online
//! Retail* by Daqing Chen (2015), UCI Machine Learning Repository, CC BY 4.0,
//! changed; `config/demo/README.md` says how.

use std::net::SocketAddr;

use cleave_inventory::ProductRow;
use cleave_vocabulary::{CallContext, Currency, Money};
use serde::Deserialize;

use crate::assembly::{Assembly, StartError};

/// An account of the demo shop. Its password is public: the demo is for trying out.
pub struct Account {
    /// The e-mail address.
    pub email: &'static str,
    /// The password.
    pub password: &'static str,
}

/// May do everything.
pub const ADMIN: Account = Account {
    email: "admin@demo.example",
    password: "demo-admin-password",
};

/// Buys.
pub const CUSTOMER: Account = Account {
    email: "customer@demo.example",
    password: "demo-customer-password",
};

const CATALOGUE: &str = include_str!("../../../config/demo/products.csv");

#[derive(Deserialize)]
struct Row {
    sku: String,
    name: String,
    price_pence: i64,
    units_sold: i64,
}

/// Puts the demo's products and accounts into the data folder, where they are not
/// there yet; in a process that has a part of the contexts, that part.
pub async fn seed(assembly: &Assembly) -> Result<(), StartError> {
    let failed = |reason: &dyn std::fmt::Display| StartError::of("demo", reason);
    let rows: Result<Vec<ProductRow>, csv::Error> = csv::Reader::from_reader(CATALOGUE.as_bytes())
        .into_deserialize()
        .map(|row: Result<Row, _>| row.map(product))
        .collect();
    let rows = rows.map_err(|error| failed(&error))?;
    if let Some(catalogue) = &assembly.catalogue {
        let imported = catalogue.import_products(&rows).await;
        imported.map_err(|error| failed(&error))?;
    }
    let Some(accounts) = &assembly.accounts else {
        return Ok(());
    };
    let call = CallContext::root(&*assembly.world.ids);
    let name = "Demo Customer";
    let (admin, customer) = tokio::join!(
        accounts.ensure_admin(&call, ADMIN.email, ADMIN.password),
        accounts.ensure_customer(&call, CUSTOMER.email, CUSTOMER.password, name),
    );
    admin.map_err(|error| failed(&error))?;
    customer.map_err(|error| failed(&error))?;
    Ok(())
}

/// The shop has as many of each as it once sold.
fn product(row: Row) -> ProductRow {
    ProductRow {
        sku: row.sku,
        name: row.name,
        price: Money::new(row.price_pence, Currency::GBP),
        on_hand: row.units_sold,
    }
}

/// What to do next, for whoever has just started the demo.
pub fn welcome(address: SocketAddr, product: &str) -> String {
    let Account {
        email, password, ..
    } = CUSTOMER;
    format!(
        r#"
The demo shop is open:  http://{address}
  the API, to try out   http://{address}/docs
  customer              {email}  {password}
  admin                 {}  {}

Sign in, place an order and wait until it is paid:

  TOKEN=$(curl -s http://{address}/api/v1/users/sessions -H 'Content-Type: application/json' \
    -d '{{"email":"{email}","password":"{password}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

  curl -s http://{address}/api/v1/orders -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -H "Idempotency-Key: $(date +%s%N)" -H 'Prefer: wait=10' \
    -d '{{"items":[{{"product_id":"{product}","quantity":1}}],"payment_method":"pm_card_visa","shipping_address":{{"name":"A Customer","line1":"1 High Street","city":"London","postal_code":"N1 9GU","country":"GB"}}}}'

It is shipped and delivered within seconds: GET /api/v1/orders/{{id}}/timeline tells how.
Ten thousand real orders:  cleave replay config/demo/orders.csv --url http://{address}
Ctrl-C stops it; the same command goes on with what is there.
"#,
        ADMIN.email, ADMIN.password
    )
}
