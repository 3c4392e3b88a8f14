//! Money is an integer count of minor units (pence, cents) and its currency.
//! Arithmetic is checked: an overflow or a mix of currencies is an error, never
//! a wrong sum. Nothing here rounds, because nothing here divides.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An ISO 4217 alphabetic code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// The active codes of ISO 4217 for currencies in circulation.
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL \
BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD \
FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS \
KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK \
MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD \
SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX \
USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

impl Currency {
    /// Pound sterling.
    pub const GBP: Self = Self(*b"GBP");

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        let code = <[u8; 3]>::try_from(code.as_bytes()).ok();
        // Each code stands with the space behind it.
        let mut known = CODES.as_bytes().chunks(4);
        code.filter(|code| known.any(|known| known[..3] == *code))
            .map(Self)
            .ok_or(MoneyError::UnknownCurrency)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::parsed(deserializer)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount of money: minor units of its currency. One that comes from a later
/// release may say more of itself; what clients send is read by [`Money::exact`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: 1999 is £19.99.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: Currency,
}

/// An amount of money: minor units of its currency.
// As clients know it, in the document and in what they send: with no other member.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(remote = "Money", deny_unknown_fields)]
#[schema(as = Money)]
struct Exact {
    /// Minor units: 1999 is £19.99.
    #[schema(example = 1999)]
    amount: i64,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "GBP")]
    currency: Currency,
}

/// For where there may be none.
#[derive(Deserialize)]
struct Given(#[serde(with = "Exact")] Money);

impl utoipa::PartialSchema for Money {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        Exact::schema()
    }
}

impl utoipa::ToSchema for Money {
    fn name() -> std::borrow::Cow<'static, str> {
        Exact::name()
    }
}

/// Why an amount could not be computed or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The result does not fit into 64 bits.
    #[error("the amount is too large")]
    Overflow,
    /// The two amounts are of different currencies.
    #[error("the amounts are of different currencies")]
    CurrencyMismatch,
    /// Not an ISO 4217 code in use.
    #[error("must be an ISO 4217 currency code")]
    UnknownCurrency,
}

impl Money {
    /// Reads what a client sends, who is told of a member that is none: a
    /// `deserialize_with` of serde, for the bodies of requests.
    pub fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Exact::deserialize(deserializer)
    }

    /// The same, where it may be null.
    pub fn exact_option<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        let given = Option::<Given>::deserialize(deserializer)?;
        Ok(given.map(|Given(money)| money))
    }

    /// An amount of `amount` minor units.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The sum; both must be of one currency.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.with(other, i64::checked_add)
    }

    /// The difference; both must be of one currency. May be negative.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.with(other, i64::checked_sub)
    }

    /// The amount taken `count` times.
    pub fn checked_mul(self, count: u32) -> Result<Self, MoneyError> {
        let amount = self
            .amount
            .checked_mul(i64::from(count))
            .ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }

    fn with(self, other: Self, op: fn(i64, i64) -> Option<i64>) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let amount = op(self.amount, other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_never_wrap() {
        let most = Money::new(i64::MAX, Currency::GBP);
        assert_eq!(
            most.checked_add(Money::new(1, Currency::GBP)),
            Err(MoneyError::Overflow)
        );
        assert_eq!(most.checked_mul(2), Err(MoneyError::Overflow));
        assert_eq!(
            Money::new(250, Currency::GBP).checked_mul(3),
            Ok(Money::new(750, Currency::GBP))
        );
    }

    #[test]
    fn currencies_do_not_mix() {
        let euro = Money::new(1, "EUR".parse().expect("a code"));
        assert_eq!(
            euro.checked_add(Money::zero(Currency::GBP)),
            Err(MoneyError::CurrencyMismatch)
        );
    }

    #[test]
    fn only_iso_codes_are_currencies() {
        for code in ["gbp", "GB", "GBPX", "", "AAA", "ÄÄ", "P J"] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
        let json = r#"{"amount":1999,"currency":"GBP"}"#;
        let money: Money = serde_json::from_str(json).expect("money");
        assert_eq!(serde_json::to_string(&money).expect("json"), json);
        assert!(serde_json::from_str::<Money>(r#"{"amount":19.99,"currency":"GBP"}"#).is_err());
    }
    #[test]
    fn between_releases_an_amount_may_say_more_and_a_client_may_not() {
        let json = r#"{"amount":1999,"currency":"GBP","scale":2}"#;
        let pounds = Money::new(1999, Currency::GBP);
        assert_eq!(serde_json::from_str::<Money>(json).expect("money"), pounds);
        let of_client = |json: &str| {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            Money::exact_option(&mut deserializer).map_err(|error| error.to_string())
        };
        let refused = of_client(json).expect_err("refused");
        assert!(refused.starts_with("unknown field `scale`"), "{refused}");
        let exact = r#"{"amount":1999,"currency":"GBP"}"#;
        assert_eq!(of_client(exact), Ok(Some(pounds)));
        assert_eq!(of_client("null"), Ok(None));
    }
}
