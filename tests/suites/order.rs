//! Suite: order.
