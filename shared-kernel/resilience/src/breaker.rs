//! The circuit breaker (Nygard, *Release It!*), over a ring of the last calls.

use std::sync::Arc;

use cleave_vocabulary::Clock;
use serde::{Deserialize, Serialize};

use crate::BreakerPolicy;

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// Some calls try.
    HalfOpen,
    /// A person holds it open.
    ForcedOpen,
}

/// What a person may ask of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerControl {
    /// Close it, and forget the calls it judged by.
    Closed,
    /// Hold it open.
    ForcedOpen,
    /// Let it judge by itself (again).
    Auto,
}

/// A circuit breaker.
pub struct CircuitBreaker {
    #[allow(dead_code)]
    policy: BreakerPolicy,
    #[allow(dead_code)]
    clock: Arc<dyn Clock>,
}
