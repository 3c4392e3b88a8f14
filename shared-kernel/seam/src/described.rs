//! A port as its declaration describes it: data, which the [`port!`](crate::port!)
//! macro writes, and from which the document is made.

use std::borrow::Cow;

use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::Operation;

/// A port: its operations, and what is said of it.
pub struct Port {
    /// Whose it is: `payment`.
    pub context: &'static str,
    /// The lines of its doc comment.
    pub words: &'static [&'static str],
    /// Each operation, in the order of its declaration.
    pub operations: &'static [Described],
}

/// An operation with what it takes and what it answers.
pub struct Described {
    /// Which.
    pub operation: Operation,
    /// The lines of its doc comment.
    pub words: &'static [&'static str],
    /// What it takes.
    pub input: Body,
    /// What it answers.
    pub answer: Body,
}

impl Described {
    /// One that takes an `I` and answers with an `O`.
    pub const fn new<I: ToSchema, O: ToSchema>(
        operation: Operation,
        words: &'static [&'static str],
    ) -> Self {
        Self {
            operation,
            words,
            input: Body::of::<I>(),
            answer: Body::of::<O>(),
        }
    }
}

/// The schema of a body, and those of all that is in it.
pub struct Body {
    name: fn() -> Cow<'static, str>,
    schema: fn() -> RefOr<Schema>,
    parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Body {
    pub(crate) const fn of<T: ToSchema>() -> Self {
        Self {
            name: <T as ToSchema>::name,
            schema: <T as PartialSchema>::schema,
            parts: <T as ToSchema>::schemas,
        }
    }

    /// The name of its type.
    pub fn name(&self) -> Cow<'static, str> {
        (self.name)()
    }

    /// Its schema and those of its parts, by name.
    pub fn schemas(&self) -> Vec<(String, RefOr<Schema>)> {
        let mut schemas = vec![(self.name().into_owned(), (self.schema)())];
        (self.parts)(&mut schemas);
        schemas
    }
}
