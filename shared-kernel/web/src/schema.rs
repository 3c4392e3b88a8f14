//! Schemas for the document of the API that no type stands for.

use utoipa::openapi::{ObjectBuilder, Schema, Type};

/// Text that is one of these: for a closed set whose type is elsewhere.
pub fn one_of<const N: usize>(names: [&'static str; N]) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names))
        .into()
}
