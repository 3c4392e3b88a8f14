//! Values as both databases hold them, apart from how either writes them down:
//! what is equal here is the same on both sides.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value as Json;
use uuid::Uuid;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Text,
    Uuid,
    Bytes,
}

impl Kind {
    /// By the type names that sea-query gives columns on SQLite.
    pub(super) fn of_sqlite(declared: &str) -> Option<Self> {
        let name = declared.split('(').next().unwrap_or(declared).trim();
        match name.to_ascii_lowercase().as_str() {
            "boolean" => Some(Self::Boolean),
            "bigint" | "integer" | "int" => Some(Self::Integer),
            "text" | "varchar" => Some(Self::Text),
            "uuid_text" => Some(Self::Uuid),
            "blob" => Some(Self::Bytes),
            _ => None,
        }
    }

    /// By the names of Postgres' `information_schema`.
    pub(super) fn of_postgres(data_type: &str) -> Option<Self> {
        match data_type {
            "boolean" => Some(Self::Boolean),
            "bigint" => Some(Self::Integer),
            "text" | "character varying" => Some(Self::Text),
            "uuid" => Some(Self::Uuid),
            "bytea" => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Text(String),
    Uuid(Uuid),
    Bytes(Vec<u8>),
}

/// The values of one row, in the order of the table's columns.
pub(super) type Row = Vec<Value>;

/// The key of the last row of a page, as the target keeps it.
pub(super) fn key_to_text(key: &[Value]) -> Option<String> {
    let parts: Option<Vec<Json>> = key
        .iter()
        .map(|value| match value {
            Value::Boolean(value) => Some(Json::from(*value)),
            Value::Integer(value) => Some(Json::from(*value)),
            Value::Text(value) => Some(Json::from(value.as_str())),
            Value::Uuid(value) => Some(Json::from(value.to_string())),
            // No key has them.
            Value::Null | Value::Bytes(_) => None,
        })
        .collect();
    Some(Json::from(parts?).to_string())
}

/// The same, read again by what the key's columns hold.
pub(super) fn key_of_text(text: &str, kinds: impl Iterator<Item = Kind>) -> Option<Row> {
    let parts: Vec<Json> = serde_json::from_str(text).ok()?;
    parts
        .iter()
        .zip(kinds)
        .map(|(part, kind)| match kind {
            Kind::Boolean => part.as_bool().map(Value::Boolean),
            Kind::Integer => part.as_i64().map(Value::Integer),
            Kind::Text => part.as_str().map(|text| Value::Text(text.to_owned())),
            Kind::Uuid => Some(Value::Uuid(part.as_str()?.parse().ok()?)),
            Kind::Bytes => None,
        })
        .collect()
}

/// How many rows a table has, and 128 bits over all their values, whatever the
/// order in which they were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) rows: u64,
    sums: [u64; 2],
}

impl Digest {
    pub(super) fn add(&mut self, row: &Row) {
        self.rows += 1;
        for (place, sum) in self.sums.iter_mut().enumerate() {
            let mut hasher = DefaultHasher::new();
            (place, row).hash(&mut hasher);
            *sum = sum.wrapping_add(hasher.finish());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_written_down() {
        let key = vec![
            Value::Integer(i64::MAX),
            Value::Text("a \"b\" é".to_owned()),
            Value::Uuid(Uuid::from_u128(7)),
        ];
        let text = key_to_text(&key).expect("it can be written");
        let kinds = [Kind::Integer, Kind::Text, Kind::Uuid].into_iter();
        assert_eq!(key_of_text(&text, kinds), Some(key));
        assert_eq!(key_to_text(&[Value::Null]), None);
    }

    #[test]
    fn a_digest_tells_values_apart_and_not_their_order() {
        let digest = |rows: &[Row]| {
            let mut digest = Digest::default();
            for row in rows {
                digest.add(row);
            }
            digest
        };
        let (one, two) = (vec![Value::Integer(1)], vec![Value::Integer(2)]);
        assert_eq!(
            digest(&[one.clone(), two.clone()]),
            digest(&[two.clone(), one.clone()])
        );
        let first = digest(std::slice::from_ref(&one));
        assert_ne!(first, digest(&[two]));
        assert_ne!(first, digest(&[vec![Value::Null]]));
        assert_ne!(first, digest(&[vec![Value::Text("1".to_owned())]]));
    }
}
