//! Stock: what is on hand, what of it is reserved, and the movements between.
//! A movement is applied only where it keeps `0 ≤ reserved ≤ on_hand`; that is
//! the only rule that reserving, taking, releasing and adjusting have to obey.

use cleave_vocabulary::ProductId;

use super::MAX_ON_HAND;

/// The stock of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StockLevel {
    /// Units on the shelf.
    pub(crate) on_hand: i64,
    /// Units of them that are held for orders.
    pub(crate) reserved: i64,
}

impl StockLevel {
    /// What can still be sold.
    pub(crate) const fn available(self) -> i64 {
        self.on_hand - self.reserved
    }

    /// Whether it can be so at all.
    pub(crate) const fn is_sound(self) -> bool {
        0 <= self.reserved && self.reserved <= self.on_hand
    }

    /// What `delta` units more (or fewer) on the shelf lead to.
    pub(crate) fn adjusted(self, delta: i64) -> Result<Self, AdjustRefusal> {
        let on_hand = self
            .on_hand
            .checked_add(delta)
            .filter(|on_hand| *on_hand <= MAX_ON_HAND)
            .ok_or(AdjustRefusal::TooMany)?;
        let adjusted = Self { on_hand, ..self };
        if adjusted.is_sound() {
            Ok(adjusted)
        } else {
            Err(AdjustRefusal::Insufficient {
                available: self.available(),
            })
        }
    }
}

/// Why stock was not adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdjustRefusal {
    /// There is no such product.
    UnknownProduct,
    /// Less than what is reserved would remain.
    Insufficient {
        /// What could be taken away.
        available: i64,
    },
    /// More than [`MAX_ON_HAND`] would be on the shelf.
    TooMany,
}

/// What changes for one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Movement {
    /// Whose stock.
    pub(crate) product: ProductId,
    /// By how much `on_hand` changes.
    pub(crate) on_hand: i64,
    /// By how much `reserved` changes.
    pub(crate) reserved: i64,
}

impl Movement {
    /// Holds `quantity` units.
    pub(crate) fn hold((product, quantity): (ProductId, u32)) -> Self {
        Self {
            product,
            on_hand: 0,
            reserved: quantity.into(),
        }
    }

    /// What undoes it.
    pub(crate) fn reversed(self) -> Self {
        Self {
            product: self.product,
            on_hand: -self.on_hand,
            reserved: -self.reserved,
        }
    }

    /// By how much `available` changes.
    pub(crate) const fn available(self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// Whether what is available fell to `threshold` just now: it was above before
/// `change` led to `after`.
pub(crate) const fn crosses_downwards(after: i64, change: i64, threshold: i64) -> bool {
    after <= threshold && after - change > threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: StockLevel = StockLevel {
        on_hand: 10,
        reserved: 4,
    };

    #[test]
    fn an_adjustment_leaves_what_is_reserved() {
        assert_eq!(LEVEL.adjusted(-6).expect("allowed").available(), 0);
        assert_eq!(
            LEVEL.adjusted(-7),
            Err(AdjustRefusal::Insufficient { available: 6 })
        );
        assert_eq!(LEVEL.adjusted(i64::MAX), Err(AdjustRefusal::TooMany));
        assert_eq!(LEVEL.adjusted(MAX_ON_HAND), Err(AdjustRefusal::TooMany));
        assert!(LEVEL.adjusted(i64::MIN).is_err());
    }

    #[test]
    fn low_stock_is_told_at_the_crossing_only() {
        assert!(crosses_downwards(10, -1, 10));
        assert!(crosses_downwards(0, -11, 10));
        assert!(!crosses_downwards(9, -1, 10), "it was low before");
        assert!(!crosses_downwards(11, -1, 10), "it is not low yet");
        assert!(!crosses_downwards(10, 1, 10), "it rises");
    }
}
