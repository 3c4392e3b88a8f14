//! Suite: inventory.
