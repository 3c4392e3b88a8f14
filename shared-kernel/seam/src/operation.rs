//! An operation of a port, as guard, client and routes know it.

use cleave_vocabulary::{Failure, PortError};

/// One operation of one port.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// `charge`.
    pub name: &'static str,
    /// Where it is served: `/internal/v1/payment/charge`.
    pub path: &'static str,
    changes: bool,
}

impl Operation {
    /// One that changes nothing.
    pub const fn query(name: &'static str, path: &'static str) -> Self {
        Self {
            name,
            path,
            changes: false,
        }
    }

    /// One that has an effect: safe to repeat, because its input carries a key.
    pub const fn command(name: &'static str, path: &'static str) -> Self {
        Self {
            name,
            path,
            changes: true,
        }
    }

    /// Whether it has an effect.
    pub const fn changes(&self) -> bool {
        self.changes
    }

    /// A query without an answer leaves nothing in doubt: it did nothing.
    pub(crate) fn settle<T>(&self, result: Result<T, PortError>) -> Result<T, PortError> {
        result.map_err(|error| match error {
            PortError::Failed(failure) if !self.changes => PortError::Failed(Failure {
                outcome_unknown: false,
                ..failure
            }),
            other => other,
        })
    }
}
