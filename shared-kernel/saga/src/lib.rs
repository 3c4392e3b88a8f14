//! Durable sagas (Garcia-Molina and Salem, 1987), orchestrated: a definition is
//! a list of steps, each an action beside its compensation; the log is written
//! before a step acts and after it has. This crate knows nothing of orders.

mod definition;
mod engine;
mod plan;
mod record;

pub use definition::{
    Action, COMPENSATED_BY_HAND, Definition, EXHAUSTED, Exhausted, Resolution, Step, StepCall,
    StepKind, StepPolicy, Undo,
};
pub use engine::{Begin, Engine, EngineOptions, EngineParts, NoSuchSaga, SagaFilter, Takeup};
pub use plan::DefinitionError;
pub use record::{LogEntry, PhaseView, SagaStatus, SagaView, StepView};
