//! Suite: shipping.
