//! Suite: saga.
