//! The part of JSON Schema that the program's own document of its API uses: says
//! whether a value is as its schema has it, with no member that the schema does
//! not know. Formats and bounds are the suites' affair.

use serde_json::{Map, Value};

/// Where and how `value` is not as `schema` has it; references lead into `document`.
pub fn conforms(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    check(document, schema, value, "body")
}

/// What the document says of an answer of `operation` with this status.
pub fn response<'a>(document: &'a Value, operation: &'a Value, status: &str) -> Option<&'a Value> {
    let response = operation["responses"].get(status)?;
    match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')),
        None => Some(response),
    }
}

/// Where and how an answer of `operation` is not as the document has it.
pub fn answers(
    document: &Value,
    operation: &Value,
    status: &str,
    media_type: &str,
    body: &Value,
) -> Result<(), String> {
    let response = response(document, operation, status);
    let response = response.ok_or_else(|| format!("the document does not know {status}"))?;
    let schema = &response["content"][media_type]["schema"];
    if schema.is_null() {
        return Err(format!("no schema for {status} {media_type}"));
    }
    conforms(document, schema, body)
}

fn check(document: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        let target = document.pointer(pointer);
        let target = target.ok_or_else(|| format!("{path}: {reference} is not there"))?;
        return check(document, target, value, path);
    }
    for word in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[word].as_array() {
            let fits = |choice: &Value| check(document, choice, value, path);
            let faults: Vec<String> = choices
                .iter()
                .filter_map(|choice| fits(choice).err())
                .collect();
            if faults.len() == choices.len() {
                return Err(faults.join("; or "));
            }
        }
    }
    typed(schema, value, path)?;
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Err(format!("{path}: {value} is none of {allowed:?}"));
    }
    match value {
        Value::Object(members) => object(document, schema, members, path),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(at, item)| {
            check(document, &schema["items"], item, &format!("{path}[{at}]"))
        }),
        _ => Ok(()),
    }
}

fn typed(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let is = |name: &Value| match name.as_str() {
        Some("null") => value.is_null(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    };
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{path}: {value} is no {}", schema["type"]))
    }
}

fn object(
    document: &Value,
    schema: &Value,
    members: &Map<String, Value>,
    path: &str,
) -> Result<(), String> {
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if !members.contains_key(name) {
            return Err(format!("{path}: {name} is missing"));
        }
    }
    let Some(known) = schema["properties"].as_object() else {
        return Ok(());
    };
    for (name, member) in members {
        let path = format!("{path}.{name}");
        let schema = known.get(name);
        let schema = schema.ok_or_else(|| format!("{path}: the schema does not know it"))?;
        check(document, schema, member, &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_as_the_schema_has_it_is_named() {
        let document = json!({"components": {"schemas": {
            "Kind": {"type": "string", "enum": ["a", "b"]},
            "Thing": {
                "type": "object",
                "required": ["kind", "count"],
                "properties": {
                    "kind": {"$ref": "#/components/schemas/Kind"},
                    "count": {"type": ["integer", "null"]},
                    "more": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Kind"}]},
                },
            },
        }}});
        let things = json!({"type": "array", "items": {"$ref": "#/components/schemas/Thing"}});
        let fault = |thing: Value| conforms(&document, &things, &json!([thing])).err();
        assert_eq!(
            fault(json!({"kind": "a", "count": null, "more": "b"})),
            None
        );
        for wrong in [
            json!({"kind": "c", "count": 1}),
            json!({"kind": "a"}),
            json!({"kind": "a", "count": 1.5}),
            json!({"kind": "a", "count": 1, "more": 2}),
            json!({"kind": "a", "count": 1, "colour": "red"}),
        ] {
            assert!(fault(wrong.clone()).is_some(), "{wrong}");
        }
    }
}
