//! Suite: resilience.
