//! Suite: payment.
