//! Money as people read it: `19.99 GBP`.

use cleave_vocabulary::Money;

/// ISO 4217 currencies without minor units.
const WHOLE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
/// ISO 4217 currencies whose minor unit is a thousandth.
const THOUSANDTHS: &str = "BHD IQD JOD KWD LYD OMR TND";

/// The amount in major units, and its currency.
pub(super) fn written(money: Money) -> String {
    let code = money.currency.code();
    let digits = if WHOLE.contains(code) {
        0
    } else if THOUSANDTHS.contains(code) {
        3
    } else {
        2
    };
    let sign = if money.amount < 0 { "-" } else { "" };
    let amount = money.amount.unsigned_abs();
    if digits == 0 {
        return format!("{sign}{amount} {code}");
    }
    let unit = 10_u64.pow(digits);
    let (whole, part) = (amount / unit, amount % unit);
    let width = digits as usize;
    format!("{sign}{whole}.{part:0width$} {code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_has_its_own_minor_unit() {
        for (amount, code, text) in [
            (1999, "GBP", "19.99 GBP"),
            (5, "EUR", "0.05 EUR"),
            (-250, "USD", "-2.50 USD"),
            (1999, "JPY", "1999 JPY"),
            (1999, "KWD", "1.999 KWD"),
            (i64::MIN, "GBP", "-92233720368547758.08 GBP"),
        ] {
            let money = Money::new(amount, code.parse().expect("a code"));
            assert_eq!(written(money), text);
        }
    }
}
