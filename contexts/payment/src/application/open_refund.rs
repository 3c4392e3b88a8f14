//! The first half of every refund: promise it, and set the money aside, in one
//! unit. Two refunds that race for the last of a charge are told apart here, in
//! SQL; what is promised is settled with the gateway afterwards.

use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{Failure, FailureKind};

use super::Payments;
use crate::domain::Refund;
use crate::persistence::{payments, refunds};

/// Somebody changed the payment since it was read: look again.
#[derive(Debug)]
pub(super) struct Contended;

/// How often to look again. Each look brings the payment a step nearer to its
/// end; only somebody who changes it as fast could use up all of them.
pub(super) const ROUNDS: usize = 16;

/// The failure after all of them.
pub(super) fn contended() -> Failure {
    Failure::clean(
        FailureKind::Overloaded,
        "the payment was changed by others again and again",
    )
}

impl Payments {
    /// Writes the refund as promised.
    pub(super) async fn open_refund(&self, tx: &Tx, refund: &Refund) -> Unit<(), Contended> {
        let at = refund.created_at;
        let opened = refunds::insert(tx, refund).await?
            && payments::set_aside(tx, refund.payment_id, refund.amount.amount, at).await?;
        if opened {
            Ok(())
        } else {
            Err(UnitError::Refused(Contended))
        }
    }
}
