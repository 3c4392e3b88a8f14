//! The lines of a reservation: one for each product, none empty, in the order
//! of the products' ids, so that every unit of work takes stock in one order.

use std::collections::BTreeMap;

use cleave_inventory_contract::port::StockLine;
use cleave_vocabulary::{ProductId, Refusal};
use serde::{Deserialize, Serialize};

/// Summed for each product and ordered by its id; never empty. As JSON, pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lines(Vec<(ProductId, u32)>);

impl Lines {
    /// Sums what was asked for; refuses what no order can mean.
    pub(crate) fn sum(lines: &[StockLine]) -> Result<Self, Refusal> {
        let mut sums: BTreeMap<ProductId, u32> = BTreeMap::new();
        for line in lines {
            let sum = sums.entry(line.product_id).or_default();
            *sum = sum
                .checked_add(line.quantity)
                .filter(|_| line.quantity > 0)
                .ok_or_else(|| invalid("each quantity must be 1 or more, and countable"))?;
        }
        if sums.is_empty() {
            return Err(invalid("there must be a line"));
        }
        Ok(Self(sums.into_iter().collect()))
    }

    /// The lines, in order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (ProductId, u32)> {
        self.0.iter().copied()
    }

    /// As the contract shows them.
    pub(crate) fn published(&self) -> Vec<StockLine> {
        self.iter()
            .map(|(product_id, quantity)| StockLine {
                product_id,
                quantity,
            })
            .collect()
    }
}

fn invalid(message: &'static str) -> Refusal {
    Refusal::new("invalid_lines", message)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn line(product: u128, quantity: u32) -> StockLine {
        StockLine {
            product_id: ProductId::from_uuid(Uuid::from_u128(product)),
            quantity,
        }
    }

    #[test]
    fn one_product_on_two_lines_is_one_line_of_the_sum() {
        let lines = Lines::sum(&[line(2, 1), line(1, 5), line(2, 3)]).expect("lines");
        assert_eq!(lines.published(), [line(1, 5), line(2, 4)]);
    }

    #[test]
    fn empty_orders_and_empty_lines_are_refused() {
        for lines in [
            vec![],
            vec![line(1, 0)],
            vec![line(1, u32::MAX), line(1, 1)],
        ] {
            let refusal = Lines::sum(&lines).expect_err("no order");
            assert_eq!(refusal.code, "invalid_lines");
        }
    }

    #[test]
    fn json_is_pairs_and_round_trips() {
        let lines = Lines::sum(&[line(1, 5)]).expect("lines");
        let json = serde_json::to_string(&lines).expect("json");
        assert_eq!(json, r#"[["prd_00000000000000000000000001",5]]"#);
        assert_eq!(serde_json::from_str::<Lines>(&json).expect("lines"), lines);
    }
}
