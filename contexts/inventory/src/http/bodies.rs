//! What clients send, and the rules it must pass. The rules are the domain's;
//! here each is asked of its field, so that one answer names all that broke.

use cleave_inventory_contract::port::StockLine;
use cleave_vocabulary::{Money, ProductId};
use cleave_web::rules;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::{Validate, ValidationError, ValidationErrors};

use crate::domain::{
    Description, DescriptionChange, MAX_ON_HAND, NewProduct, OnHand, Price, ProductChanges,
    ProductName, Rule, Sku,
};

/// A search in the catalogue.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Finds products that bear this text in their sku or name, whatever the case.
    #[param(max_length = 200)]
    search: Option<String>,
}

impl Search {
    /// The text to look for; nothing where the client looks for nothing.
    pub(super) fn parse(&self) -> Result<Option<String>, Rule> {
        let text = self.search.as_deref().unwrap_or_default().trim();
        if text.is_empty() {
            return Ok(None);
        }
        // What could not be in a name need not be looked for.
        ProductName::parse(text).map(|text| Some(text.as_str().to_owned()))
    }
}

/// A new product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateProduct {
    /// The stock-keeping unit; no two products share one.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[!-~]+$",
        example = "85123A"
    )]
    sku: String,
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, example = "Globe")]
    name: String,
    /// More about it.
    #[serde(default)]
    #[schema(max_length = 4000)]
    description: Option<String>,
    /// What one piece costs; from 1 to 1,000,000,000 minor units.
    #[serde(deserialize_with = "Money::exact")]
    price: Money,
    /// How many there are.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    on_hand: i64,
}

/// What is to change of a product; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EditProduct {
    /// What it is called.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    name: Option<String>,
    /// More about it; null takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 4000)]
    #[expect(
        clippy::option_option,
        reason = "absent, null and a text are three things"
    )]
    description: Option<Option<String>>,
    /// What one piece costs.
    #[serde(default, deserialize_with = "given_price")]
    #[schema(value_type = Money, required = false)]
    price: Option<Money>,
}

/// A correction of what is on hand.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdjustStockBody {
    /// How many more; fewer where negative; not 0.
    #[validate(custom(function = delta))]
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000, example = -3)]
    pub(super) delta: i64,
    /// Why, for whoever looks at the count later.
    #[serde(deserialize_with = "rules::trimmed")]
    #[validate(length(min = 1, max = 500), custom(function = rules::one_line))]
    #[schema(min_length = 1, max_length = 500, example = "stocktaking")]
    pub(super) reason: String,
}

/// Asks whether stock would suffice.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckAvailability {
    /// The lines of an order that might be placed.
    #[validate(length(min = 1, max = 100), nested)]
    #[schema(min_items = 1, max_items = 100)]
    pub(super) items: Vec<CheckItem>,
}

/// So many of one product.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckItem {
    /// Which product.
    pub(super) product_id: ProductId,
    /// How many.
    #[validate(range(min = 1, max = 10_000))]
    #[schema(minimum = 1, maximum = 10_000)]
    pub(super) quantity: u32,
}

impl CreateProduct {
    /// The product that is to be; the rules have passed.
    pub(super) fn parse(&self) -> Result<NewProduct, Rule> {
        let description = self.description.as_deref().map(Description::parse);
        Ok(NewProduct {
            sku: Sku::parse(&self.sku)?,
            name: ProductName::parse(&self.name)?,
            description: description.transpose()?,
            price: Price::parse(self.price)?,
            on_hand: OnHand::parse(self.on_hand)?,
        })
    }
}

impl Validate for CreateProduct {
    fn validate(&self) -> Result<(), ValidationErrors> {
        broken([
            ("sku", Sku::parse(&self.sku).err()),
            ("name", ProductName::parse(&self.name).err()),
            ("description", described(self.description.as_deref())),
            ("price.amount", Price::parse(self.price).err()),
            ("on_hand", OnHand::parse(self.on_hand).err()),
        ])
    }
}

impl EditProduct {
    /// The changes; the rules have passed.
    pub(super) fn parse(&self) -> Result<ProductChanges, Rule> {
        let description = match &self.description {
            None => DescriptionChange::Keep,
            Some(None) => DescriptionChange::Remove,
            Some(Some(text)) => DescriptionChange::Write(Description::parse(text)?),
        };
        Ok(ProductChanges {
            name: self.name.as_deref().map(ProductName::parse).transpose()?,
            description,
            price: self.price.map(Price::parse).transpose()?,
        })
    }
}

impl Validate for EditProduct {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let name = self.name.as_deref().map(ProductName::parse);
        let description = self.description.as_ref().and_then(Option::as_deref);
        let price = self.price.map(Price::parse);
        broken([
            ("name", name.and_then(Result::err)),
            ("description", described(description)),
            ("price.amount", price.and_then(Result::err)),
        ])
    }
}

fn delta(delta: i64) -> Result<(), ValidationError> {
    if delta != 0 && (-MAX_ON_HAND..=MAX_ON_HAND).contains(&delta) {
        return Ok(());
    }
    Err(rules::broken(
        "out_of_range",
        "must be -1000000000 to 1000000000, and not 0",
    ))
}

impl CheckAvailability {
    /// The lines asked about.
    pub(super) fn lines(&self) -> Vec<StockLine> {
        let lines = self.items.iter().map(|item| StockLine {
            product_id: item.product_id,
            quantity: item.quantity,
        });
        lines.collect()
    }
}

fn described(text: Option<&str>) -> Option<Rule> {
    text.map(Description::parse).and_then(Result::err)
}

fn broken<const N: usize>(
    fields: [(&'static str, Option<Rule>); N],
) -> Result<(), ValidationErrors> {
    let mut errors = ValidationErrors::new();
    for (field, rule) in fields {
        if let Some(rule) = rule {
            errors.add(field, rules::broken(rule.code, rule.message));
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// A member that is there is read as what it should be: `null` is not the same
/// as absent.
fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

fn given_price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Money>, D::Error> {
    Money::exact(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_has_no_member_that_is_not_known() {
        let price = r#"{"amount": 85, "currency": "GBP", "scale": 2}"#;
        let new = format!(r#"{{"sku": "A", "name": "Globe", "on_hand": 1, "price": {price}}}"#);
        let new = serde_json::from_str::<CreateProduct>(&new).map(drop);
        let edit = format!(r#"{{"price": {price}}}"#);
        let edit = serde_json::from_str::<EditProduct>(&edit).map(drop);
        for read in [new, edit] {
            let refused = read.expect_err("refused").to_string();
            assert!(refused.starts_with("unknown field `scale`"), "{refused}");
        }
        let nothing = serde_json::from_str::<EditProduct>(r#"{"price": null}"#);
        assert!(nothing.is_err(), "a price can't be taken away");
    }
}
