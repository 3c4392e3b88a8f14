//! A carrier in the same process, for development and tests. What it carries is
//! what the shipments say: a booking is a function of the reference and the
//! address, and the rounds that it makes are due times in the shipments' rows.
//! So it has nothing to remember, and nothing to call off. It moves no parcel.

use async_trait::async_trait;
use cleave_shipping_contract::port::{Address, SHIPPING_REFUSED};
use cleave_store::{Store, StoreError, UnitError};
use cleave_vocabulary::{Failure, FailureKind, PortError, Refusal};
use sha2::{Digest, Sha256};

use super::{Booking, Carrier};
use crate::persistence::attempts;

/// Who carries it.
const NAME: &str = "simulated";
/// The postal code that it never delivers to.
const NOWHERE: &str = "00000";
/// The postal code that it accepts after some faults, for each reference.
const FLAKY: &str = "99999";
/// How many.
const FAULTS: i64 = 2;

/// The simulated carrier.
pub struct SimulatedCarrier {
    store: Store,
}

impl SimulatedCarrier {
    /// A carrier that counts its faults in the shipping context's store.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    async fn attempts(&self, reference: &str) -> Result<i64, Failure> {
        let reference = reference.to_owned();
        self.store
            .write(async move |tx| Ok(attempts::count(tx, &reference).await?))
            .await
            .map_err(UnitError::into_store_error)
            .map_err(|error: StoreError| {
                Failure::clean(FailureKind::Unavailable, error.to_string())
            })
    }
}

#[async_trait]
impl Carrier for SimulatedCarrier {
    async fn book(&self, reference: &str, address: &Address) -> Result<Booking, PortError> {
        match address.postal_code.as_str() {
            NOWHERE => {
                let words = "The carrier does not deliver to this postal code.";
                return Err(Refusal::new(SHIPPING_REFUSED, words).into());
            }
            FLAKY if self.attempts(reference).await? <= FAULTS => {
                let words = "a passing fault of the carrier";
                return Err(Failure::clean(FailureKind::Unavailable, words).into());
            }
            _ => {}
        }
        Ok(Booking {
            carrier: NAME.to_owned(),
            tracking_number: tracking_number(reference),
        })
    }

    async fn cancel(&self, _reference: &str) -> Result<(), PortError> {
        Ok(())
    }
}

/// 80 bits of the reference's digest in base32: the same for the same
/// reference, and no two alike.
fn tracking_number(reference: &str) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const LENGTH: usize = 16;
    let digest = Sha256::digest(reference);
    let mut bits: u128 = 0;
    for byte in &digest[..10] {
        bits = bits << 8 | u128::from(*byte);
    }
    let mut text = String::with_capacity(3 + LENGTH);
    text.push_str("SIM");
    for place in (0..LENGTH).rev() {
        let digit = (bits >> (place * 5)) & 31;
        text.push(char::from(ALPHABET[digit as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracking_numbers_follow_from_the_reference() {
        let number = tracking_number("ord_01h455vb4pex5vsknk084sn02q");
        assert_eq!(number, tracking_number("ord_01h455vb4pex5vsknk084sn02q"));
        assert_ne!(number, tracking_number("ord_01h455vb4pex5vsknk084sn02r"));
        assert_eq!(number.len(), 19);
        assert!(number.starts_with("SIM"));
    }
}
