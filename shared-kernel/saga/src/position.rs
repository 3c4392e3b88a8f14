//! Where a saga stands, as its row keeps it: which step, in which direction,
//! and what is known of it. Everything that must survive a crash to decide what
//! comes next is here; nothing else is.

use crate::SagaStatus;

/// The direction a saga moves in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// Acting, and able to turn back.
    Acting,
    /// Acting behind the pivot: only forward.
    Forward,
    /// Undoing.
    Undoing,
}

impl Phase {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Acting => "acting",
            Self::Forward => "forward",
            Self::Undoing => "undoing",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Acting, Self::Forward, Self::Undoing]
            .into_iter()
            .find(|phase| phase.as_str() == text)
    }

    /// What the log calls it.
    pub(crate) const fn logged(self) -> &'static str {
        match self {
            Self::Acting | Self::Forward => ACTION,
            Self::Undoing => COMPENSATION,
        }
    }
}

/// The log's word for what a step does.
pub(crate) const ACTION: &str = "action";
/// The log's word for what takes it back.
pub(crate) const COMPENSATION: &str = "compensation";

/// What is known of the step that a saga is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// It was not begun.
    Ready,
    /// It was begun; whoever finds this and did not begin it does not know what became of it.
    Started,
    /// The last attempt failed.
    Failed,
    /// The last attempt was not answered.
    Unknown,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Started => "started",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Ready, Self::Started, Self::Failed, Self::Unknown]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// Where a saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Position {
    /// As people see it.
    pub(crate) status: SagaStatus,
    /// The direction.
    pub(crate) phase: Phase,
    /// The step.
    pub(crate) step: usize,
    /// What is known of it.
    pub(crate) state: State,
    /// Attempts at it in this direction, ever.
    pub(crate) attempt: u32,
    /// Attempts at it since a person last took the saga up: what the policy counts.
    pub(crate) tries: u32,
    /// How often its provider was asked about the unanswered attempt.
    pub(crate) asked: u32,
}

impl Position {
    /// At a step that has just been begun for the first time.
    pub(crate) const fn started(phase: Phase, step: usize) -> Self {
        let status = match phase {
            Phase::Acting | Phase::Forward => SagaStatus::Pending,
            Phase::Undoing => SagaStatus::Compensating,
        };
        Self {
            status,
            phase,
            step,
            state: State::Started,
            attempt: 1,
            tries: 1,
            asked: 0,
        }
    }

    /// At a step that is still to be begun.
    pub(crate) const fn ready(phase: Phase, step: usize) -> Self {
        Self {
            state: State::Ready,
            attempt: 0,
            tries: 0,
            ..Self::started(phase, step)
        }
    }
}

impl SagaStatus {
    /// The stable name, as rows, metrics and JSON show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Compensating => "compensating",
            Self::Compensated => "compensated",
            Self::Stuck => "stuck",
        }
    }

    /// The status of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Waiting,
            Self::Completed,
            Self::Compensating,
            Self::Compensated,
            Self::Stuck,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
    }

    /// Nothing more will happen by itself.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated | Self::Stuck)
    }
}
