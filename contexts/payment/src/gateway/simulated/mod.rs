//! A payment gateway in the same process, for development and tests: it plays
//! every part of a real one, bad days included, by the payment method it is
//! given. Its books are a database of its own, so that they outlive a killed
//! program and an audit can compare them with ours. It moves no money.

mod books;
mod instruments;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_store::{Store, StoreError, UnitError};
use cleave_vocabulary::{Clock, Failure, FailureKind, Money, PortError, Refusal};
use sha2::{Digest, Sha256};

use self::books::{Booked, Verdict};
use self::instruments::Instrument;
use super::{BookEntry, ChargeOutcome, PaymentGateway};

/// How often a flaky charge fails before it succeeds.
const FLAKY_FAULTS: i64 = 2;
/// What a slow charge takes.
const SLOW: Duration = Duration::from_secs(2);

/// The simulated gateway.
pub struct SimulatedGateway {
    books: Store,
    clock: Arc<dyn Clock>,
    latency: Duration,
}

impl SimulatedGateway {
    /// A gateway whose books are in `books`, and whose every answer takes `latency`.
    pub fn new(books: Store, clock: Arc<dyn Clock>, latency: Duration) -> Self {
        Self {
            books,
            clock,
            latency,
        }
    }

    async fn travel(&self) {
        if !self.latency.is_zero() {
            self.clock.sleep(self.latency).await;
        }
    }

    /// Writes the verdict under the key, unless there is one already; gives the one that holds.
    async fn book(
        &self,
        key: &str,
        amount: Money,
        verdict: Verdict,
    ) -> Result<ChargeOutcome, PortError> {
        let charge = Booked {
            reference: charge_reference(key),
            key: key.to_owned(),
            amount,
            verdict,
            at: self.clock.now(),
        };
        self.books
            .write(async move |tx| books::book(tx, &charge).await)
            .await
            .map_err(port_error)
    }

    async fn charge_flaky(&self, key: &str, amount: Money) -> Result<ChargeOutcome, PortError> {
        let charge = Booked {
            reference: charge_reference(key),
            key: key.to_owned(),
            amount,
            verdict: Verdict::Taken,
            at: self.clock.now(),
        };
        self.books
            .write(async move |tx| books::book_flaky(tx, &charge, FLAKY_FAULTS).await)
            .await
            .map_err(port_error)?
            .ok_or_else(|| unavailable("a passing fault of the gateway").into())
    }
}

#[async_trait]
impl PaymentGateway for SimulatedGateway {
    fn supports(&self, method: &str) -> bool {
        Instrument::named(method).is_some()
    }

    async fn charge(
        &self,
        key: &str,
        amount: Money,
        method: &str,
    ) -> Result<ChargeOutcome, PortError> {
        self.travel().await;
        let Some(instrument) = Instrument::named(method) else {
            let words = "No such payment method.".to_owned();
            return self.book(key, amount, Verdict::Declined(words)).await;
        };
        match instrument {
            Instrument::Succeeds => self.book(key, amount, Verdict::Taken).await,
            Instrument::Declines(words) => {
                self.book(key, amount, Verdict::Declined(words.to_owned()))
                    .await
            }
            Instrument::Flaky => self.charge_flaky(key, amount).await,
            Instrument::Timeout => {
                self.book(key, amount, Verdict::Taken).await?;
                std::future::pending().await
            }
            Instrument::Unavailable => Err(unavailable("the gateway answered 503").into()),
            Instrument::Slow => {
                // The money moves first, as at a gateway that goes on working
                // after its caller has hung up.
                let outcome = self.book(key, amount, Verdict::Taken).await?;
                self.clock.sleep(SLOW).await;
                Ok(outcome)
            }
        }
    }

    async fn find(&self, key: &str) -> Result<Option<ChargeOutcome>, PortError> {
        self.travel().await;
        let reference = charge_reference(key);
        self.books
            .read(async move |tx| Ok(books::outcome(tx, &reference).await?))
            .await
            .map_err(|error: UnitError<Refusal>| port_error(error))
    }

    async fn void(&self, key: &str) -> Result<ChargeOutcome, PortError> {
        self.travel().await;
        let (key, reference) = (key.to_owned(), charge_reference(key));
        let at = self.clock.now();
        self.books
            .write(async move |tx| books::void(tx, &reference, &key, at).await)
            .await
            .map_err(port_error)
    }

    async fn refund(&self, key: &str, charge: &str, amount: Money) -> Result<String, PortError> {
        self.travel().await;
        let reference = refund_reference(key);
        let charge = charge.to_owned();
        let at = self.clock.now();
        self.books
            .write(async move |tx| {
                books::refund(tx, &reference, &charge, amount, at).await?;
                Ok(reference.clone())
            })
            .await
            .map_err(port_error)
    }

    async fn taken(&self, keys: &[String]) -> Result<Vec<BookEntry>, PortError> {
        let references: Vec<String> = keys.iter().map(|key| charge_reference(key)).collect();
        self.books
            .read(async move |tx| Ok(books::taken(tx, &references).await?))
            .await
            .map_err(|error: UnitError<Refusal>| port_error(error))
    }

    async fn taken_after(
        &self,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<BookEntry>, PortError> {
        let after = after.unwrap_or_default().to_owned();
        self.books
            .read(async move |tx| Ok(books::taken_after(tx, &after, limit).await?))
            .await
            .map_err(|error: UnitError<Refusal>| port_error(error))
    }
}

/// How the gateway knows the charge with this key.
fn charge_reference(key: &str) -> String {
    reference("ch", key)
}

/// How the gateway knows the refund with this key.
fn refund_reference(key: &str) -> String {
    reference("re", key)
}

/// 128 bits of the key's digest: the same for the same key, and no two alike.
fn reference(prefix: &str, key: &str) -> String {
    let digest = Sha256::digest(key);
    let mut text = String::with_capacity(prefix.len() + 33);
    text.push_str(prefix);
    text.push('_');
    for byte in &digest[..16] {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    text
}

fn unavailable(message: &str) -> Failure {
    Failure::clean(FailureKind::Unavailable, message)
}

/// A store that fails has rolled back, so that nothing was done; where the answer
/// to the commit was lost, that is what the outside would be.
fn port_error(error: UnitError<Refusal>) -> PortError {
    match error {
        UnitError::Refused(refusal) => refusal.into(),
        UnitError::Failed(error) => {
            let kind = match error {
                StoreError::Busy { .. } => FailureKind::Overloaded,
                _ => FailureKind::Unavailable,
            };
            let unknown = error.outcome_unknown();
            Failure {
                outcome_unknown: unknown,
                ..Failure::clean(kind, format!("the simulated gateway's books: {error}"))
            }
            .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_follow_from_the_key() {
        let reference = charge_reference("saga:process_payment");
        assert_eq!(reference, charge_reference("saga:process_payment"));
        assert_ne!(reference, charge_reference("saga:process_payment:undo"));
        assert_eq!(reference.len(), "ch_".len() + 32);
        assert!(refund_reference("k").starts_with("re_"));
    }
}
