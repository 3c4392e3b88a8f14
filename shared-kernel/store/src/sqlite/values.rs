//! Values on their way into SQLite and rows on their way out. A row must hold
//! the very variant that an entity's field asks for; the declared type of the
//! column tells which.

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{Row, Statement, ToSql};
use sea_orm::{ProxyRow, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A value as a parameter.
pub(super) struct Parameter<'a>(pub(super) &'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Bool(value) => integer(value.map(i64::from)),
            Value::TinyInt(value) => integer(value.map(i64::from)),
            Value::SmallInt(value) => integer(value.map(i64::from)),
            Value::Int(value) => integer(value.map(i64::from)),
            Value::BigInt(value) => integer(*value),
            Value::TinyUnsigned(value) => integer(value.map(i64::from)),
            Value::SmallUnsigned(value) => integer(value.map(i64::from)),
            Value::Unsigned(value) => integer(value.map(i64::from)),
            Value::BigUnsigned(value) => integer(value.map(u64::cast_signed)),
            Value::Float(value) => real(value.map(f64::from)),
            Value::Double(value) => real(*value),
            Value::String(value) => {
                borrowed(value.as_ref().map(|text| ValueRef::Text(text.as_bytes())))
            }
            Value::Bytes(value) => borrowed(value.as_ref().map(|bytes| ValueRef::Blob(bytes))),
            Value::Uuid(value) => {
                borrowed(value.as_ref().map(|uuid| ValueRef::Blob(uuid.as_bytes())))
            }
            Value::Char(value) => text(value.map(String::from)),
            Value::Json(value) => text(value.as_ref().map(ToString::to_string)),
            other => return Err(unsupported(other)),
        })
    }
}

fn unsupported(value: &Value) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(format!("no SQLite form for {value:?}").into())
}

fn borrowed(value: Option<ValueRef<'_>>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null))
}

fn integer(value: Option<i64>) -> ToSqlOutput<'static> {
    borrowed(value.map(ValueRef::Integer))
}

fn real(value: Option<f64>) -> ToSqlOutput<'static> {
    borrowed(value.map(ValueRef::Real))
}

fn text(value: Option<String>) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(value.map_or(Owned::Null, Owned::Text))
}

/// How a column's values are to be read.
#[derive(Clone, Copy)]
enum Kind {
    Boolean,
    Integer,
    Real,
    Text,
    Json,
    Uuid,
    Bytes,
    /// Computed: what SQLite holds decides.
    Computed,
}

impl Kind {
    /// By the type names that sea-query gives columns on SQLite. Every integer is
    /// 64 bits wide: SQLite's declared `integer` does not tell another width.
    fn declared(declared: Option<&str>) -> Self {
        let Some(declared) = declared else {
            return Self::Computed;
        };
        let name = declared.split('(').next().unwrap_or(declared).trim();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("bigint") || is("integer") || is("int") {
            Self::Integer
        } else if is("text") || is("varchar") || is("char") {
            Self::Text
        } else if is("uuid_text") {
            Self::Uuid
        } else if is("boolean") {
            Self::Boolean
        } else if is("json_text") || is("jsonb_text") {
            Self::Json
        } else if is("blob") || is("varbinary_blob") || is("binary_blob") {
            Self::Bytes
        } else if is("double") || is("real") || is("float") {
            Self::Real
        } else {
            Self::Computed
        }
    }
}

/// The columns of a statement's result: names and kinds.
pub(super) struct Columns(Vec<(String, Kind)>);

impl Columns {
    pub(super) fn of(statement: &Statement<'_>) -> Self {
        let columns = statement.columns();
        Self(
            columns
                .iter()
                .map(|column| (column.name().to_owned(), Kind::declared(column.decl_type())))
                .collect(),
        )
    }

    pub(super) fn row(&self, row: &Row<'_>) -> rusqlite::Result<ProxyRow> {
        let mut values = BTreeMap::new();
        for (place, (name, kind)) in self.0.iter().enumerate() {
            let value = read(*kind, row.get_ref(place)?).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(place, row_type(row, place), error.into())
            })?;
            values.insert(name.clone(), value);
        }
        Ok(values.into())
    }
}

fn row_type(row: &Row<'_>, place: usize) -> rusqlite::types::Type {
    row.get_ref(place)
        .map_or(rusqlite::types::Type::Null, |value| value.data_type())
}

fn read(kind: Kind, value: ValueRef<'_>) -> Result<Value, String> {
    Ok(match (kind, value) {
        (Kind::Boolean, ValueRef::Null) => Value::Bool(None),
        (Kind::Boolean, ValueRef::Integer(value)) => Value::Bool(Some(value != 0)),
        (Kind::Integer | Kind::Computed, ValueRef::Null) => Value::BigInt(None),
        (Kind::Integer | Kind::Computed, ValueRef::Integer(value)) => Value::BigInt(Some(value)),
        (Kind::Real, ValueRef::Null) => Value::Double(None),
        #[expect(
            clippy::cast_precision_loss,
            reason = "SQLite keeps whole reals as integers"
        )]
        (Kind::Real, ValueRef::Integer(value)) => Value::Double(Some(value as f64)),
        (Kind::Real | Kind::Computed, ValueRef::Real(value)) => Value::Double(Some(value)),
        (Kind::Text, ValueRef::Null) => Value::String(None),
        (Kind::Text | Kind::Computed, ValueRef::Text(text)) => {
            Value::String(Some(utf8(text)?.to_owned()))
        }
        (Kind::Json, ValueRef::Null) => Value::Json(None),
        (Kind::Json, ValueRef::Text(text)) => Value::Json(Some(
            serde_json::from_slice(text).map_err(|error| error.to_string())?,
        )),
        (Kind::Uuid, ValueRef::Null) => Value::Uuid(None),
        (Kind::Uuid, ValueRef::Blob(bytes)) => Value::Uuid(Some(
            Uuid::from_slice(bytes).map_err(|error| error.to_string())?,
        )),
        (Kind::Bytes, ValueRef::Null) => Value::Bytes(None),
        (Kind::Bytes | Kind::Computed, ValueRef::Blob(bytes)) => Value::Bytes(Some(bytes.to_vec())),
        (_, value) => {
            return Err(format!(
                "the column holds a value of type {}",
                value.data_type()
            ));
        }
    })
}

fn utf8(text: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(text).map_err(|error| error.to_string())
}
