//! What someone wants to buy, and what it costs. A basket keeps the rules on
//! lines and quantities; an offer is a product as the catalogue sells it at
//! this moment; together they make lines with prices, or a refusal that says
//! what to change.

use cleave_vocabulary::{Money, ProductId};

/// The most of one product that an order may ask for.
pub(crate) const MAX_QUANTITY: u32 = 10_000;

/// A product as it is sold at this moment.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) product_id: ProductId,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) unit_price: Money,
    pub(crate) available: i64,
}

/// A line of an order, at the price of its day.
#[expect(
    clippy::struct_field_names,
    reason = "`line_total` is what clients call it, beside the order's `total`"
)]
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Line {
    pub(crate) product_id: ProductId,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) quantity: u32,
    pub(crate) unit_price: Money,
    pub(crate) line_total: Money,
}

/// A line that stock does not suffice for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Shortage {
    pub(crate) product_id: ProductId,
    pub(crate) requested: u32,
    pub(crate) available: i64,
}

/// Why a basket cannot become an order. Lines are counted as they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BasketRefusal {
    /// There is nothing in it.
    Empty,
    /// More lines than an order may have.
    TooManyLines { most: usize },
    /// The quantity of this line, or what it adds up to with those before it,
    /// is not 1 to [`MAX_QUANTITY`].
    QuantityOutOfRange { line: usize },
    /// These lines name products that the catalogue does not have.
    UnknownProducts { lines: Vec<usize> },
    /// Stock does not suffice.
    Short(Vec<Shortage>),
    /// One order is paid in one currency.
    MixedCurrencies,
    /// The sum does not fit into the largest amount of money.
    TooExpensive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    product_id: ProductId,
    quantity: u32,
    line: usize,
}

/// What someone wants to buy: a line for each product, within the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Basket(Vec<Wanted>);

impl Basket {
    /// Adds up the lines that name the same product, in the order of their
    /// first mention.
    pub(crate) fn of(asked: &[(ProductId, u32)], most: usize) -> Result<Self, BasketRefusal> {
        if asked.is_empty() {
            return Err(BasketRefusal::Empty);
        }
        if asked.len() > most {
            return Err(BasketRefusal::TooManyLines { most });
        }
        let mut wanted: Vec<Wanted> = Vec::with_capacity(asked.len());
        for (line, (product_id, quantity)) in asked.iter().copied().enumerate() {
            let known = wanted.iter().position(|want| want.product_id == product_id);
            let sum = known
                .map_or(0, |at| wanted[at].quantity)
                .checked_add(quantity);
            let sum = sum
                .filter(|sum| quantity > 0 && *sum <= MAX_QUANTITY)
                .ok_or(BasketRefusal::QuantityOutOfRange { line })?;
            match known {
                Some(at) => wanted[at].quantity = sum,
                None => wanted.push(Wanted {
                    product_id,
                    quantity,
                    line,
                }),
            }
        }
        Ok(Self(wanted))
    }

    /// The products asked for, each once.
    pub(crate) fn products(&self) -> Vec<ProductId> {
        self.0.iter().map(|want| want.product_id).collect()
    }

    /// The basket at the catalogue's prices.
    pub(crate) fn price(&self, offers: &[Offer]) -> Result<PricedBasket, BasketRefusal> {
        let offer_of = |want: &Wanted| offers.iter().find(|it| it.product_id == want.product_id);
        let unknown: Vec<usize> = self
            .0
            .iter()
            .filter(|want| offer_of(want).is_none())
            .map(|want| want.line)
            .collect();
        if !unknown.is_empty() {
            return Err(BasketRefusal::UnknownProducts { lines: unknown });
        }
        let paired = self
            .0
            .iter()
            .filter_map(|want| Some((want, offer_of(want)?)));
        let lines = paired
            .clone()
            .map(|(want, offer)| Line::at(offer, want.quantity))
            .collect::<Result<Vec<_>, _>>()?;
        let total = total_of(&lines)?;
        // Last, because all else is wrong with the order itself, and this with the moment.
        let short: Vec<Shortage> = paired
            .filter(|(want, offer)| i64::from(want.quantity) > offer.available)
            .map(|(want, offer)| Shortage {
                product_id: want.product_id,
                requested: want.quantity,
                available: offer.available.max(0),
            })
            .collect();
        if short.is_empty() {
            Ok(PricedBasket { lines, total })
        } else {
            Err(BasketRefusal::Short(short))
        }
    }
}

impl Line {
    fn at(offer: &Offer, quantity: u32) -> Result<Self, BasketRefusal> {
        let line_total = offer
            .unit_price
            .checked_mul(quantity)
            .map_err(|_| BasketRefusal::TooExpensive)?;
        Ok(Self {
            product_id: offer.product_id,
            sku: offer.sku.clone(),
            name: offer.name.clone(),
            quantity,
            unit_price: offer.unit_price,
            line_total,
        })
    }
}

fn total_of(lines: &[Line]) -> Result<Money, BasketRefusal> {
    let (first, rest) = lines.split_first().ok_or(BasketRefusal::Empty)?;
    let currency = first.line_total.currency;
    if rest.iter().any(|line| line.line_total.currency != currency) {
        return Err(BasketRefusal::MixedCurrencies);
    }
    rest.iter().try_fold(first.line_total, |sum, line| {
        sum.checked_add(line.line_total)
            .map_err(|_| BasketRefusal::TooExpensive)
    })
}

/// Lines with their prices, and what they cost together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PricedBasket {
    pub(crate) lines: Vec<Line>,
    pub(crate) total: Money,
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::Currency;

    use super::*;

    fn product(number: usize) -> ProductId {
        ProductId::from_uuid(uuid::Uuid::from_u128(number as u128))
    }

    fn offer(number: usize, price: Money, available: i64) -> Offer {
        Offer {
            product_id: product(number),
            sku: format!("SKU-{number}"),
            name: format!("Product {number}"),
            unit_price: price,
            available,
        }
    }

    fn pounds(amount: i64) -> Money {
        Money::new(amount, Currency::GBP)
    }

    fn basket(asked: &[(usize, u32)]) -> Basket {
        let asked: Vec<_> = asked.iter().map(|(it, n)| (product(*it), *n)).collect();
        Basket::of(&asked, 100).expect("a basket")
    }

    #[test]
    fn lines_of_one_product_are_added_up_where_it_was_first_named() {
        let priced = basket(&[(1, 2), (2, 1), (1, 3)])
            .price(&[offer(2, pounds(500), 9), offer(1, pounds(100), 9)])
            .expect("a price");
        let lines: Vec<_> = priced
            .lines
            .iter()
            .map(|line| (line.sku.as_str(), line.quantity, line.line_total.amount))
            .collect();
        assert_eq!(lines, [("SKU-1", 5, 500), ("SKU-2", 1, 500)]);
        assert_eq!(priced.total, pounds(1000));
    }

    #[test]
    fn quantities_are_bounded_alone_and_together() {
        let refused = |asked: &[(ProductId, u32)]| Basket::of(asked, 100).expect_err("refused");
        assert_eq!(
            refused(&[(product(1), 1), (product(2), 0)]),
            BasketRefusal::QuantityOutOfRange { line: 1 }
        );
        assert_eq!(
            refused(&[(product(1), MAX_QUANTITY + 1)]),
            BasketRefusal::QuantityOutOfRange { line: 0 }
        );
        assert_eq!(
            refused(&[(product(1), MAX_QUANTITY), (product(1), 1)]),
            BasketRefusal::QuantityOutOfRange { line: 1 }
        );
        assert_eq!(
            refused(&[(product(1), u32::MAX), (product(1), u32::MAX)]),
            BasketRefusal::QuantityOutOfRange { line: 0 }
        );
        assert!(Basket::of(&[(product(1), MAX_QUANTITY)], 100).is_ok());
    }

    #[test]
    fn an_order_has_some_lines_and_not_too_many() {
        assert_eq!(Basket::of(&[], 3), Err(BasketRefusal::Empty));
        let lines = vec![(product(1), 1); 4];
        assert_eq!(
            Basket::of(&lines, 3),
            Err(BasketRefusal::TooManyLines { most: 3 })
        );
        assert!(Basket::of(&lines[..3], 3).is_ok());
    }

    #[test]
    fn unknown_products_are_named_by_the_lines_that_were_sent() {
        let refused = basket(&[(1, 1), (1, 1), (2, 1), (3, 1)]).price(&[offer(2, pounds(1), 9)]);
        assert_eq!(
            refused,
            Err(BasketRefusal::UnknownProducts { lines: vec![0, 3] })
        );
    }

    #[test]
    fn short_lines_say_how_much_there_is() {
        let refused = basket(&[(1, 3), (2, 1)])
            .price(&[offer(1, pounds(1), 2), offer(2, pounds(1), 1)])
            .expect_err("refused");
        let short = Shortage {
            product_id: product(1),
            requested: 3,
            available: 2,
        };
        assert_eq!(refused, BasketRefusal::Short(vec![short]));
    }

    #[test]
    fn a_sum_beyond_64_bits_is_refused_and_never_wrong() {
        let dear = pounds(i64::MAX / 2 + 1);
        assert_eq!(
            basket(&[(1, 2)]).price(&[offer(1, dear, 9)]),
            Err(BasketRefusal::TooExpensive)
        );
        assert_eq!(
            basket(&[(1, 1), (2, 1)]).price(&[offer(1, dear, 9), offer(2, dear, 9)]),
            Err(BasketRefusal::TooExpensive)
        );
    }

    #[test]
    fn one_order_is_paid_in_one_currency() {
        let euro = Money::new(1, "EUR".parse().expect("a code"));
        assert_eq!(
            basket(&[(1, 1), (2, 1)]).price(&[offer(1, pounds(1), 9), offer(2, euro, 9)]),
            Err(BasketRefusal::MixedCurrencies)
        );
    }
}
