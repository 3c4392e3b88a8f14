//! Suite: messaging.
