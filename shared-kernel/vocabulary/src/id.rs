//! Identifiers: a [TypeID](https://github.com/jetify-com/typeid) is a prefix,
//! an underscore, and 26 characters of Crockford base32 over a `UUIDv7`. Each
//! kind is a Rust type of its own, so that swapped arguments do not compile.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// What an [`Id`] identifies; gives the prefix of its text form.
pub trait Kind: 'static {
    /// The prefix, without the underscore: `ord`.
    const PREFIX: &'static str;
    /// The name of the id in API documents: `OrderId`.
    const NAME: &'static str;
}

/// An identifier of one kind of thing; `ord_01h455vb4pex5vsknk084sn02q` as text.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

macro_rules! kinds {
    ($($(#[$doc:meta])* $alias:ident = $kind:ident, $prefix:literal;)*) => {
        /// The kinds of ids.
        pub mod kind {
            $(
                $(#[$doc])*
                pub enum $kind {}
                impl super::Kind for $kind {
                    const PREFIX: &'static str = $prefix;
                    const NAME: &'static str = stringify!($alias);
                }
            )*
        }
        $( $(#[$doc])* pub type $alias = Id<kind::$kind>; )*
    };
}

kinds! {
    /// A person with an account.
    UserId = User, "usr";
    /// A product of the catalogue.
    ProductId = Product, "prd";
    /// An order.
    OrderId = Order, "ord";
    /// Stock held for an order.
    ReservationId = Reservation, "rsv";
    /// The payment of an order.
    PaymentId = Payment, "pay";
    /// One movement of money within a payment.
    TransactionId = Transaction, "txn";
    /// A shipment.
    ShipmentId = Shipment, "shp";
    /// A message to a user.
    NotificationId = Notification, "ntf";
    /// A saga.
    SagaId = Saga, "sga";
    /// An event.
    EventId = Event, "evt";
}

impl<K> Id<K> {
    /// The id over a UUID that is already known, as when read from a database.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The UUID inside, as databases keep it.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX: usize = 26;

/// What stands for no digit in [`DIGITS`].
const NONE: u8 = 0xFF;
/// The value of each byte as a digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NONE; 256];
    let mut value: u8 = 0;
    while (value as usize) < ALPHABET.len() {
        digits[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    digits
};
/// Room for the text of an id: a prefix of up to seven letters, an underscore, the rest.
const ROOM: usize = 8 + SUFFIX;

impl<K: Kind> Id<K> {
    /// The text form, written into `room`: ids are written so often that it pays
    /// not to format them piece by piece.
    fn text(self, room: &mut [u8; ROOM]) -> &str {
        let prefix = K::PREFIX.as_bytes();
        let (head, rest) = room.split_at_mut(prefix.len() + 1);
        head[..prefix.len()].copy_from_slice(prefix);
        head[prefix.len()] = b'_';
        let mut bits = self.0.as_u128();
        for place in rest[..SUFFIX].iter_mut().rev() {
            *place = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
        // Letters of ASCII, all of them.
        std::str::from_utf8(&room[..=prefix.len() + SUFFIX]).unwrap_or_default()
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; ROOM]))
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// It does not start with the prefix of its kind.
    #[error("must start with `{0}_`")]
    Prefix(&'static str),
    /// The part behind the prefix is not 26 characters of base32 over 128 bits.
    #[error("must be `{0}_` and 26 characters of lower-case base32")]
    Suffix(&'static str),
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let suffix = text
            .strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .ok_or(IdError::Prefix(K::PREFIX))?;
        decode(suffix)
            .map(Self::from_uuid)
            .ok_or(IdError::Suffix(K::PREFIX))
    }
}

/// The UUID behind 26 base32 characters; `None` where they are not that, or
/// stand for more than 128 bits.
fn decode(suffix: &str) -> Option<Uuid> {
    if suffix.len() != SUFFIX || suffix.as_bytes()[0] > b'7' {
        return None;
    }
    suffix
        .bytes()
        .try_fold(0_u128, |bits, byte| {
            let digit = DIGITS[usize::from(byte)];
            (digit != NONE).then_some((bits << 5) | u128::from(digit))
        })
        .map(Uuid::from_u128)
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text(&mut [0; ROOM]))
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::parsed(deserializer)
    }
}

impl<K: Kind> utoipa::PartialSchema for Id<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some(format!(
                "^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$",
                K::PREFIX
            )))
            .examples([serde_json::json!(
                Self::from_uuid(Uuid::from_u128(0x0190_163d_9c4a_7c3e_8b5a_0000_0000_0001))
                    .to_string()
            )])
            .into()
    }
}

impl<K: Kind> utoipa::ToSchema for Id<K> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed(K::NAME)
    }
}

/// Where new ids come from; an argument, so that tests can foresee them.
pub trait IdSource: Send + Sync + 'static {
    /// A UUID that was never given before.
    fn uuid(&self) -> Uuid;
}

impl dyn IdSource {
    /// A new id of the kind that the caller expects.
    pub fn next<K: Kind>(&self) -> Id<K> {
        Id::from_uuid(self.uuid())
    }
}

/// `UUIDv7` (RFC 9562): ordered by the time they were made, monotonic within a process.
#[derive(Debug, Default, Clone, Copy)]
pub struct UuidV7Ids;

impl IdSource for UuidV7Ids {
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Ids that count up from one: the same in each run of a test.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl IdSource for SequentialIds {
    fn uuid(&self) -> Uuid {
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Uuid::from_u128(0x0190_163d_9c4a_7000_8000_0000_0000_0000 | u128::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_hold() {
        // From the TypeID specification's valid.yml.
        let id: Id<kind::Order> = "ord_01h455vb4pex5vsknk084sn02q".parse().expect("valid");
        assert_eq!(
            id.uuid().to_string(),
            "01890a5d-ac96-774b-bcce-b302099a8057"
        );
        assert_eq!(id.to_string(), "ord_01h455vb4pex5vsknk084sn02q");
        let max: Id<kind::Order> = "ord_7zzzzzzzzzzzzzzzzzzzzzzzzz".parse().expect("valid");
        assert_eq!(max.uuid(), Uuid::max());
    }

    #[test]
    fn what_is_not_an_id_of_the_kind_is_refused() {
        for text in [
            "",
            "ord",
            "ord_",
            "usr_01h455vb4pex5vsknk084sn02q",
            "ord_81h455vb4pex5vsknk084sn02q",
            "ord_01H455VB4PEX5VSKNK084SN02Q",
            "ord_01h455vb4pex5vsknk084sn02",
            "ord_01h455vb4pex5vsknk084sn02qq",
            "ord_01h455vb4pex5vsknk084sn0ué",
            "ord_u1h455vb4pex5vsknk084sn02q",
        ] {
            assert!(text.parse::<OrderId>().is_err(), "{text}");
        }
    }

    #[test]
    fn json_round_trips_borrowed_and_owned() {
        let id = OrderId::from_uuid(Uuid::now_v7());
        let text = serde_json::to_string(&id).expect("json");
        assert_eq!(serde_json::from_str::<OrderId>(&text).expect("json"), id);
        let value = serde_json::to_value(id).expect("json");
        assert_eq!(serde_json::from_value::<OrderId>(value).expect("json"), id);
    }
}
