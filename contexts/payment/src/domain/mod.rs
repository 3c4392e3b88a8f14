//! The rules of payments, free of clocks, databases and gateways: what states a
//! payment passes through, what may be given back, and what a repeated command
//! is answered. Whoever holds a value from here holds a legal one; where two
//! holders race, the persistence lets one win.

mod charge;
mod payment;
mod refund;
mod status;

pub use charge::ChargeOutcome;
pub(crate) use charge::{ChargeFailure, FailureCode};
pub(crate) use payment::{Payment, Recalled, Slot, another_charge};
pub(crate) use refund::{Refund, RefundRefusal};
pub(crate) use status::{PaymentStatus, RefundStatus, TransactionStatus};
