//! Many rows in few statements, and in few shapes of statements.

/// Rows of the largest portion.
const MOST: usize = 64;

/// Cuts rows into portions of 64, 32, 16 … 1, as few as that takes. One
/// statement for each portion keeps to seven texts, which are prepared once; one
/// statement for however many rows there are would be another text for each
/// number, and to prepare it can cost more than to run it.
pub fn portions<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = rows.len().min(MOST).checked_ilog2()?;
        let (portion, rest) = rows.split_at(1 << size);
        rows = rest;
        Some(portion)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_portion_and_sizes_are_powers_of_two() {
        let rows: Vec<usize> = (0..171).collect();
        let sizes: Vec<usize> = portions(&rows).map(<[usize]>::len).collect();
        assert_eq!(sizes, [64, 64, 32, 8, 2, 1]);
        assert_eq!(portions(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        assert_eq!(portions(&rows[..0]).count(), 0);
    }
}
