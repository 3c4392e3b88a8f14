//! Broken rules of the `validator` crate as field errors: flat, in a stable
//! order, in words for people, and without the value that broke them.

use validator::{ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::FieldError;

/// Each broken rule, ordered by field.
pub(super) fn explain(errors: &ValidationErrors) -> Vec<FieldError> {
    let mut found = Vec::new();
    collect("", errors, &mut found);
    found.sort_by(|one, other| (&one.field, &one.code).cmp(&(&other.field, &other.code)));
    found
}

fn collect(path: &str, errors: &ValidationErrors, found: &mut Vec<FieldError>) {
    for (name, kind) in errors.errors() {
        let path = join(path, name);
        match kind {
            ValidationErrorsKind::Struct(errors) => collect(&path, errors, found),
            ValidationErrorsKind::List(items) => {
                for (index, errors) in items {
                    collect(&format!("{path}[{index}]"), errors, found);
                }
            }
            ValidationErrorsKind::Field(errors) => {
                found.extend(errors.iter().map(|error| field_error(&path, error)));
            }
        }
    }
}

/// A rule over a whole struct (`__all__`) is reported on the struct itself.
fn join(path: &str, name: &str) -> String {
    match (path, name) {
        ("", "__all__") => "body".to_owned(),
        (path, "__all__") => path.to_owned(),
        ("", name) => name.to_owned(),
        (path, name) => format!("{path}.{name}"),
    }
}

fn field_error(path: &str, error: &ValidationError) -> FieldError {
    let (code, message) = match error.code.as_ref() {
        "length" => length(error),
        "range" => ("out_of_range".into(), format!("must be {}", bounds(error))),
        "email" => ("invalid_email".into(), "must be an email address".into()),
        "url" => ("invalid_url".into(), "must be a URL".into()),
        "required" => ("required".into(), "is required".into()),
        _ => (error.code.clone(), "is not valid".into()),
    };
    let message = error.message.clone().unwrap_or_else(|| message.into());
    FieldError::new(path, code, message)
}

fn length(error: &ValidationError) -> (std::borrow::Cow<'static, str>, String) {
    let value = error.params.get("value");
    let items = value.is_some_and(|value| value.is_array() || value.is_object());
    let unit = if items { "items" } else { "characters" };
    let size = value.map_or(0, size_of_value);
    let least = number(error, "min").or_else(|| number(error, "equal"));
    let short = least.is_some_and(|least| size < least);
    let code = if short { "too_short" } else { "too_long" };
    (code.into(), format!("must have {} {unit}", bounds(error)))
}

fn size_of_value(value: &serde_json::Value) -> i64 {
    let size = match value {
        serde_json::Value::String(text) => text.chars().count(),
        serde_json::Value::Array(items) => items.len(),
        serde_json::Value::Object(members) => members.len(),
        _ => 0,
    };
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn number(error: &ValidationError, name: &str) -> Option<i64> {
    error.params.get(name)?.as_i64()
}

/// The bounds of a rule: `1 to 100`, `12 or more`.
fn bounds(error: &ValidationError) -> String {
    let param = |name: &str| error.params.get(name);
    if let Some(exact) = param("equal") {
        return format!("exactly {exact}");
    }
    match (param("min"), param("max")) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("{min} or more"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => match (param("exclusive_min"), param("exclusive_max")) {
            (Some(min), Some(max)) => format!("more than {min} and less than {max}"),
            (Some(min), None) => format!("more than {min}"),
            (None, Some(max)) => format!("less than {max}"),
            (None, None) => "within its bounds".to_owned(),
        },
    }
}
