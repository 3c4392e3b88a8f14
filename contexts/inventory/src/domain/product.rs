//! A product of the catalogue. Its version counts changes of its own fields;
//! stock moves beside it and does not touch it.

use cleave_vocabulary::{Money, NOT_ONE_LINE, ProductId, Timestamp, is_one_line};

/// The highest price, in minor units. A hundred lines of ten thousand pieces
/// at this price still add up to less than 2⁵³, which every JSON reader can
/// count exactly.
pub(crate) const MAX_PRICE: i64 = 1_000_000_000;
/// The most that may be on the shelf of one product.
pub(crate) const MAX_ON_HAND: i64 = 1_000_000_000;

const MAX_SKU: usize = 64;
const MAX_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 4_000;

/// A rule that a value broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rule {
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// For a person.
    pub message: &'static str,
}

impl Rule {
    pub(crate) const fn new(code: &'static str, message: &'static str) -> Self {
        Self { code, message }
    }
}

/// A stock-keeping unit: 1 to 64 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sku(String);

/// A product's name: 1 to 200 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProductName(String);

/// What is said of a product: up to 4,000 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description(String);

/// What one piece costs: more than nothing, and at most [`MAX_PRICE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Price(Money);

/// A first count of what is on the shelf: 0 to [`MAX_ON_HAND`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OnHand(i64);

impl Sku {
    pub(crate) fn parse(text: &str) -> Result<Self, Rule> {
        let fits = (1..=MAX_SKU).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Rule {
                code: "invalid_sku",
                message: "must be 1 to 64 visible ASCII characters",
            })
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProductName {
    pub(crate) fn parse(text: &str) -> Result<Self, Rule> {
        let text = text.trim();
        let length = "must have 1 to 200 characters";
        match text.chars().count() {
            0 => Err(Rule::new("too_short", length)),
            count if count > MAX_NAME => Err(Rule::new("too_long", length)),
            _ if is_one_line(text) => Ok(Self(text.to_owned())),
            _ => {
                let (code, message) = NOT_ONE_LINE;
                Err(Rule::new(code, message))
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Description {
    pub(crate) fn parse(text: &str) -> Result<Self, Rule> {
        if text.chars().count() > MAX_DESCRIPTION {
            return Err(Rule::new("too_long", "must have at most 4000 characters"));
        }
        if text.contains('\0') {
            return Err(Rule::new(
                "control_characters",
                "must not contain the character U+0000",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Price {
    pub(crate) fn parse(money: Money) -> Result<Self, Rule> {
        if (1..=MAX_PRICE).contains(&money.amount) {
            Ok(Self(money))
        } else {
            Err(Rule {
                code: "out_of_range",
                message: "must be an amount of 1 to 1000000000 minor units",
            })
        }
    }

    pub(crate) const fn money(self) -> Money {
        self.0
    }
}

impl OnHand {
    pub(crate) fn parse(count: i64) -> Result<Self, Rule> {
        if (0..=MAX_ON_HAND).contains(&count) {
            Ok(Self(count))
        } else {
            Err(Rule {
                code: "out_of_range",
                message: "must be 0 to 1000000000",
            })
        }
    }

    pub(crate) const fn count(self) -> i64 {
        self.0
    }
}

/// A product that is to be.
#[derive(Debug, Clone)]
pub(crate) struct NewProduct {
    pub(crate) sku: Sku,
    pub(crate) name: ProductName,
    pub(crate) description: Option<Description>,
    pub(crate) price: Price,
    pub(crate) on_hand: OnHand,
}

/// A product of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) price: Money,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// What is to become of a description.
#[derive(Debug, Clone, Default)]
pub(crate) enum DescriptionChange {
    #[default]
    Keep,
    Remove,
    Write(Description),
}

/// What is to change; what is absent stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProductChanges {
    pub(crate) name: Option<ProductName>,
    pub(crate) description: DescriptionChange,
    pub(crate) price: Option<Price>,
}

impl Product {
    /// The first version of a product.
    pub(crate) fn new(id: ProductId, new: &NewProduct, at: Timestamp) -> Self {
        let description = new.description.as_ref();
        Self {
            id,
            sku: new.sku.as_str().to_owned(),
            name: new.name.as_str().to_owned(),
            description: description.map(|text| text.as_str().to_owned()),
            price: new.price.money(),
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }

    /// The next version, or the same where nothing would change.
    pub(crate) fn changed(&self, changes: &ProductChanges, at: Timestamp) -> Self {
        let mut next = self.clone();
        if let Some(name) = &changes.name {
            name.as_str().clone_into(&mut next.name);
        }
        match &changes.description {
            DescriptionChange::Keep => {}
            DescriptionChange::Remove => next.description = None,
            DescriptionChange::Write(text) => next.description = Some(text.as_str().to_owned()),
        }
        if let Some(price) = changes.price {
            next.price = price.money();
        }
        if next != *self {
            next.version += 1;
            next.updated_at = at;
        }
        next
    }
}

/// The text that a search looks into, or the text that it looks for: folded to
/// lower case here, because databases differ in how they fold.
pub(crate) fn searchable(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::Currency;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_full_order_at_the_highest_price_can_be_counted() {
        let line = Money::new(MAX_PRICE, Currency::GBP)
            .checked_mul(10_000)
            .expect("fits");
        let total = line.checked_mul(100).expect("fits");
        assert!(total.amount < 1 << 53);
    }

    #[test]
    fn values_are_parsed_at_the_edge() {
        for sku in ["", "a b", "é", &"x".repeat(65)] {
            assert!(Sku::parse(sku).is_err(), "{sku}");
        }
        assert!(Sku::parse("85123A").is_ok());
        for name in ["", "  ", "a\nb", &"x".repeat(201)] {
            assert!(ProductName::parse(name).is_err(), "{name}");
        }
        assert_eq!(
            ProductName::parse(" Globe ").expect("name").as_str(),
            "Globe"
        );
        for amount in [i64::MIN, -1, 0, MAX_PRICE + 1, i64::MAX] {
            assert!(Price::parse(Money::new(amount, Currency::GBP)).is_err());
        }
        for count in [-1, MAX_ON_HAND + 1] {
            assert!(OnHand::parse(count).is_err());
        }
    }

    #[test]
    fn a_change_that_changes_nothing_makes_no_version() {
        let new = NewProduct {
            sku: Sku::parse("A").expect("sku"),
            name: ProductName::parse("Globe").expect("name"),
            description: Some(Description::parse("round").expect("text")),
            price: Price::parse(Money::new(85, Currency::GBP)).expect("price"),
            on_hand: OnHand::parse(1).expect("count"),
        };
        let product = Product::new(
            ProductId::from_uuid(Uuid::nil()),
            &new,
            Timestamp::from_micros(1),
        );
        let later = Timestamp::from_micros(2);
        let same = ProductChanges {
            name: Some(new.name),
            ..ProductChanges::default()
        };
        assert_eq!(product.changed(&same, later), product);
        let bare = ProductChanges {
            description: DescriptionChange::Remove,
            ..ProductChanges::default()
        };
        let changed = product.changed(&bare, later);
        assert_eq!((changed.version, changed.description), (2, None));
        assert_eq!(changed.updated_at, later);
    }
}
