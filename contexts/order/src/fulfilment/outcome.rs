//! What the answer of a port means to a saga: a refusal is an answer and turns
//! it around, a failure is none and is tried again, and where the other side
//! may have acted it is asked before anything else.

use cleave_saga::{Action, Resolution, Undo};
use cleave_vocabulary::{Failure, KeyedOutcome, PortError};
use sea_orm::DbErr;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The answer to a command.
pub(super) fn action<T: Serialize>(answer: Result<T, PortError>) -> Action {
    match answer {
        Ok(reply) => Action::Done(json(&reply)),
        Err(PortError::Refused(refusal)) => Action::Refused(refusal),
        Err(PortError::Failed(failure)) if failure.outcome_unknown => {
            Action::Unknown(text(&failure))
        }
        Err(PortError::Failed(failure)) => Action::Failed(text(&failure)),
    }
}

/// The answer to the question what became of a command.
pub(super) fn resolution<T: Serialize>(answer: Result<KeyedOutcome<T>, PortError>) -> Resolution {
    match answer {
        Ok(KeyedOutcome::Done(reply)) => Resolution::Done(json(&reply)),
        Ok(KeyedOutcome::Refused(refusal)) => Resolution::Refused(refusal),
        Ok(KeyedOutcome::Never) => Resolution::Never,
        // Not to be told is not to know, whatever the reason.
        Err(PortError::Refused(refusal)) => Resolution::Unknown(refusal.to_string()),
        Err(PortError::Failed(failure)) => Resolution::Unknown(text(&failure)),
    }
}

/// The answer to a compensating command.
pub(super) fn undo<T>(answer: Result<T, PortError>) -> Undo {
    match answer {
        Ok(_) => Undo::Done,
        Err(PortError::Refused(refusal)) => Undo::Failed(refusal.to_string()),
        Err(PortError::Failed(failure)) => Undo::Failed(text(&failure)),
    }
}

/// `timeout: …`: the kind first, because the timeline tells no more than that.
fn text(failure: &Failure) -> String {
    failure.to_string()
}

fn json<T: Serialize>(reply: &T) -> Value {
    serde_json::to_value(reply).unwrap_or_else(|error| {
        // Only a map with keys that are no strings can fail; replies are structs.
        unreachable!("a reply cannot be written as JSON: {error}")
    })
}

/// A reply as it is given back from the saga's log.
pub(super) fn reply<T: DeserializeOwned>(output: &Value) -> Result<T, DbErr> {
    T::deserialize(output).map_err(|error| DbErr::Custom(format!("a step's output: {error}")))
}
