//! Durable sagas (Garcia-Molina and Salem, 1987), orchestrated: a definition is
//! a list of steps, each an action beside its compensation; the log is written
//! before a step acts and after it has. This crate knows nothing of orders.
//!
//! A saga is a row that says where it stands, and lines that say how it came
//! there. The row alone decides what comes next (`course` holds the rules), so
//! that whoever reads it after a crash goes on exactly where the last commit
//! left it: a step that has begun and not ended is unknown, and is asked about
//! before anything else. Each move is one commit: the step's own effects, the
//! row, and the lines of what ended and of what begins with it. Who may move a
//! saga holds a claim on it, whose fence every move checks.
//!
//! What it lacks on purpose: steps side by side, sagas within sagas, and the
//! conversion of data between versions. A changed list of steps is a new
//! version; sagas in flight end under their own, which stays registered until
//! they have. A definition's data may grow by optional fields within a version.

mod backoff;
mod course;
mod definition;
mod engine;
mod metering;
mod persistence;
mod plan;
mod position;
mod record;

pub use definition::{
    Action, COMPENSATED_BY_HAND, Definition, EXHAUSTED, Exhausted, Resolution, Step, StepCall,
    StepKind, StepPolicy, Undo,
};
pub use engine::{Begin, Engine, EngineOptions, EngineParts, NoSuchSaga, SagaFilter, Takeup};
pub use plan::DefinitionError;
pub use record::{LogEntry, PhaseView, SagaStatus, SagaView, StepView};
