//! The settings of `inventory`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::MAX_ON_HAND;

const LONGEST_TTL: Duration = Duration::from_hours(30 * 24);

/// The settings of `inventory`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InventorySettings {
    /// How long stock is held for an order that is not paid.
    #[serde(with = "cleave_vocabulary::duration")]
    pub reservation_ttl: Duration,
    /// `inventory.stock_low` is said when what is available of a product falls
    /// to this many.
    pub low_stock_threshold: i64,
}

impl Default for InventorySettings {
    fn default() -> Self {
        Self {
            reservation_ttl: Duration::from_mins(15),
            low_stock_threshold: 10,
        }
    }
}

impl InventorySettings {
    /// Says which setting is out of its range, and what the range is.
    pub fn validate(&self) -> Result<(), String> {
        if self.reservation_ttl.is_zero() || self.reservation_ttl > LONGEST_TTL {
            return Err("inventory.reservation_ttl must be 1ms to 30d".into());
        }
        if !(0..=MAX_ON_HAND).contains(&self.low_stock_threshold) {
            return Err(format!(
                "inventory.low_stock_threshold must be 0 to {MAX_ON_HAND}"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_allowed() {
        assert_eq!(InventorySettings::default().validate(), Ok(()));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let never = InventorySettings {
            reservation_ttl: Duration::ZERO,
            ..InventorySettings::default()
        };
        let error = never.validate().expect_err("refused");
        assert!(error.contains("inventory.reservation_ttl"), "{error}");
        let negative = InventorySettings {
            low_stock_threshold: -1,
            ..InventorySettings::default()
        };
        let error = negative.validate().expect_err("refused");
        assert!(error.contains("inventory.low_stock_threshold"), "{error}");
    }
}
