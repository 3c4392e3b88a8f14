//! One thing that happened to an order, as the API tells it.

use std::borrow::Cow;

use cleave_vocabulary::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::Cursor;

/// What kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TimelineKind)]
pub(crate) enum Kind {
    /// The order reached a status.
    Status,
    /// A step of its fulfilment.
    Step,
    /// The undoing of a step.
    Compensation,
    /// An event, of this context or of another.
    Event,
}

/// One thing that happened to an order.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineItem)]
pub(crate) struct Item {
    /// When.
    pub(crate) at: Timestamp,
    /// Which context did it.
    #[schema(schema_with = contexts)]
    pub(crate) context: Cow<'static, str>,
    /// What kind of thing.
    pub(crate) kind: Kind,
    /// The status, the step, the compensation, or the type of the event.
    #[schema(example = "reserve_inventory")]
    pub(crate) name: String,
    /// How it ended, for steps and compensations: `started`, `done`, `refused`, `failed`, `unknown` and the like.
    #[schema(required, example = "done")]
    pub(crate) outcome: Option<String>,
    /// Which attempt, for steps and compensations.
    #[schema(required)]
    pub(crate) attempt: Option<u32>,
    /// What more there is to say.
    #[schema(required, value_type = Option<Object>)]
    pub(crate) detail: Option<Value>,
}

/// Whose events and steps a timeline tells.
fn contexts() -> utoipa::openapi::Schema {
    cleave_web::schema::one_of(["order", "inventory", "payment", "shipping", "notification"])
}

/// An item, and the reader's place once it has been told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) place: Cursor,
    pub(crate) item: Item,
}
