//! A port for the tests, its provider, and the contract as it was before it grew.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_vocabulary::{CallContext, Clock, Failure, PortError, Refusal};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the provider is to do with a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Turn {
    Answer,
    Refuse(Refusal),
    Fail(Failure),
    Hang,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Stamp {
    pub(crate) key: String,
    pub(crate) turn: Turn,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) colour: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Stamped {
    pub(crate) number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) colour: Option<String>,
}

cleave_seam::port! {
    /// A desk that stamps papers.
    pub(crate) port DeskPort for "desk" {
        /// Stamps a paper.
        command stamp(Stamp) -> Stamped;
        /// Shows what a stamp would be.
        query show(Stamp) -> Stamped;
        /// Came with a later version.
        command shred(Stamp) -> Stamped;
    }
}

/// The contract before colours and shredding, frozen.
pub(crate) mod older {
    use serde::{Deserialize, Serialize};
    use utoipa::ToSchema;

    use super::Turn;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
    pub(crate) struct Stamp {
        pub(crate) key: String,
        pub(crate) turn: Turn,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
    pub(crate) struct Stamped {
        pub(crate) number: u64,
    }

    cleave_seam::port! {
        /// A desk that stamps papers.
        pub(crate) port DeskPort for "desk" {
            /// Stamps a paper.
            command stamp(Stamp) -> Stamped;
        }
    }
}

/// Does what each call says, and remembers the contexts of the calls.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) calls: Mutex<Vec<CallContext>>,
}

impl Desk {
    async fn take(&self, call: &CallContext, turn: Turn) -> Result<u64, PortError> {
        let number = {
            let mut calls = self.calls.lock();
            calls.push(call.clone());
            calls.len() as u64
        };
        match turn {
            Turn::Answer => Ok(number),
            Turn::Refuse(refusal) => Err(refusal.into()),
            Turn::Fail(failure) => Err(failure.into()),
            Turn::Hang => std::future::pending().await,
        }
    }

    async fn stamped(&self, call: &CallContext, input: Stamp) -> Result<Stamped, PortError> {
        let number = self.take(call, input.turn).await?;
        let colour = input.colour;
        Ok(Stamped { number, colour })
    }
}

#[async_trait]
impl DeskPort for Desk {
    async fn stamp(&self, call: &CallContext, input: Stamp) -> Result<Stamped, PortError> {
        self.stamped(call, input).await
    }

    async fn show(&self, call: &CallContext, input: Stamp) -> Result<Stamped, PortError> {
        self.stamped(call, input).await
    }

    async fn shred(&self, call: &CallContext, input: Stamp) -> Result<Stamped, PortError> {
        self.stamped(call, input).await
    }
}

#[async_trait]
impl older::DeskPort for Desk {
    async fn stamp(
        &self,
        call: &CallContext,
        input: older::Stamp,
    ) -> Result<older::Stamped, PortError> {
        let number = self.take(call, input.turn).await?;
        Ok(older::Stamped { number })
    }
}

pub(crate) fn paper(turn: Turn) -> Stamp {
    Stamp {
        key: "k-1".into(),
        turn,
        colour: None,
    }
}

/// A call with everything that can travel, due in `seconds`.
pub(crate) fn call(clock: &Arc<dyn Clock>, seconds: u64) -> CallContext {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut call = CallContext::of("c-1".parse().expect("an id"))
        .caused_by("sga_1:stamp, and 100% \u{e9}\n")
        .until(clock.now().plus(Duration::from_secs(seconds)));
    call.trace = Some(trace.parse().expect("a trace"));
    call
}
