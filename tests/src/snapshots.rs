//! Snapshots of what clients see. Ids, times and tokens differ from run to run,
//! so they are masked; each is checked before it is masked, by its shape and by
//! the name of its member, so that a mask never hides a fault.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// The document with ids, times and tokens masked. An id keeps its prefix and
/// gets a number by order of appearance, so that the same id stays the same.
///
/// # Panics
///
/// Where a member's value is not of the shape that its name promises.
pub fn masked(document: &Value) -> Value {
    Mask::default().value("", document)
}

/// The same over several documents of one story: an id has the same number in all.
pub fn masked_together<const N: usize>(documents: [&Value; N]) -> [Value; N] {
    let mut mask = Mask::default();
    documents.map(|document| mask.value("", document))
}

/// Masks the texts of one story; an id keeps its number from one to the next.
#[derive(Default)]
pub struct Mask {
    numbers: HashMap<String, usize>,
}

impl Mask {
    /// A document, masked.
    ///
    /// # Panics
    ///
    /// Where a member's value is not of the shape that its name promises.
    pub fn document(&mut self, document: &Value) -> Value {
        self.value("", document)
    }

    /// A text that is no member of a document: what is an id in it is masked.
    pub fn words(&mut self, text: &str) -> String {
        self.ids_within(text)
    }

    fn value(&mut self, name: &str, value: &Value) -> Value {
        match value {
            Value::Object(members) => Value::Object(self.members(members)),
            Value::Array(items) => items.iter().map(|item| self.value(name, item)).collect(),
            Value::String(text) => Value::String(self.text(name, text)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                let wrong = !value.is_null() && promise(name).is_some();
                assert!(!wrong, "{name} is {value}");
                value.clone()
            }
        }
    }

    fn members(&mut self, members: &Map<String, Value>) -> Map<String, Value> {
        let mut masked = Map::new();
        for (name, value) in members {
            masked.insert(name.clone(), self.value(name, value));
        }
        masked
    }

    fn text(&mut self, name: &str, text: &str) -> String {
        if let Some(kept) = promise(name) {
            assert!(kept(text), "{name} is {text:?}");
        }
        match name {
            "correlation_id" | "next_cursor" | "refresh_token" | "access_token" | "traceparent" => {
                format!("‹{name}›")
            }
            // One that was given is shown.
            "correlationid" if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
                "‹correlationid›".to_owned()
            }
            "gateway_reference" if is_reference(text) => {
                format!("{}_‹gateway_reference›", &text[..2])
            }
            _ if is_time(text) => "‹time›".to_owned(),
            _ => self.ids_within(text),
        }
    }

    /// Masks every id in a text, be the text nothing but the id or a sentence.
    fn ids_within(&mut self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let mut masked = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(is_part) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            masked.push_str(before);
            if is_id(word) {
                let next = self.numbers.len() + 1;
                let number = *self.numbers.entry(word.to_owned()).or_insert(next);
                masked.push_str(&format!("{}_‹{number}›", &word[..3]));
            } else {
                masked.push_str(word);
            }
            rest = after;
        }
        without_times(without_tracking_numbers(masked + rest))
    }
}

/// Times within a longer text.
fn without_times(mut text: String) -> String {
    const LENGTH: usize = 24;
    let is_here = |text: &str, at: usize| text.get(at..at + LENGTH).is_some_and(is_time);
    while let Some(at) = (0..text.len()).find(|at| is_here(&text, *at)) {
        text.replace_range(at..at + LENGTH, "‹time›");
    }
    text
}

/// The simulated carrier makes its numbers of the shipment's id.
fn without_tracking_numbers(mut text: String) -> String {
    const LENGTH: usize = 19;
    let is_number = |text: &str| {
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        text.len() >= LENGTH && text.bytes().take(LENGTH).all(fits)
    };
    while let Some(at) = (0..text.len())
        .filter(|at| text.is_char_boundary(*at) && text[*at..].starts_with("SIM"))
        .find(|at| is_number(&text[*at..]))
    {
        text.replace_range(at..at + LENGTH, "‹tracking_number›");
    }
    text
}

type Check = fn(&str) -> bool;

/// What the name of a member promises of its value.
fn promise(name: &str) -> Option<Check> {
    match name {
        "correlation_id" => Some(|text| {
            (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        }),
        "next_cursor" => Some(is_base64url),
        "refresh_token" => Some(|text| text.len() == 43 && is_base64url(text)),
        "access_token" => {
            Some(|text| text.split('.').count() == 3 && text.split('.').all(is_base64url))
        }
        "id" => Some(is_id),
        _ if name.ends_with("_id") => Some(is_id),
        _ if name.ends_with("_at") => Some(is_time),
        _ => None,
    }
}

fn is_base64url(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.bytes().all(fits)
}

/// As the simulated gateway names what it has done.
fn is_reference(text: &str) -> bool {
    let hex = |digits: &str| digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    text.split_once('_')
        .is_some_and(|(kind, digits)| kind.len() == 2 && hex(digits))
}

/// A prefix of three letters and 26 characters of base32.
fn is_id(text: &str) -> bool {
    const ALPHABET: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let Some((prefix, suffix)) = text.split_once('_') else {
        return false;
    };
    prefix.len() == 3
        && prefix.bytes().all(|byte| byte.is_ascii_lowercase())
        && suffix.len() == 26
        && suffix.bytes().all(|byte| ALPHABET.contains(&byte))
        && suffix.as_bytes()[0] <= b'7'
}

/// RFC 3339 in UTC with milliseconds.
fn is_time(text: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00.000Z";
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == *shape,
    };
    text.len() == SHAPE.len() && text.bytes().zip(SHAPE).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ONE: &str = "usr_01h455vb4pex5vsknk084sn02q";
    const TWO: &str = "ord_01h455vb4pex5vsknk084sn02r";

    #[test]
    fn an_id_is_the_same_wherever_it_stands() {
        let document = json!({
            "id": ONE,
            "created_at": "2026-01-02T03:04:05.678Z",
            "read_at": null,
            "subject": format!("Order {TWO} of {ONE}."),
            "items": [{"user_id": ONE}],
        });
        let expected = json!({
            "id": "usr_‹1›",
            "created_at": "‹time›",
            "read_at": null,
            "subject": "Order ord_‹2› of usr_‹1›.",
            "items": [{"user_id": "usr_‹1›"}],
        });
        // Members are walked in the order of their names.
        let masked = masked(&document);
        assert_eq!(masked["created_at"], expected["created_at"]);
        assert_eq!(masked["items"], expected["items"]);
        assert_eq!(masked["subject"], expected["subject"]);
        assert_eq!(masked, expected);
    }

    #[test]
    fn what_is_masked_is_checked_first() {
        for wrong in [
            json!({"id": "7"}),
            json!({"order_id": 7}),
            json!({"created_at": "2026-01-02 03:04:05"}),
            json!({"created_at": 1_767_323_045}),
            json!({"correlation_id": ""}),
            json!({"access_token": "secret"}),
        ] {
            let outcome = std::panic::catch_unwind(|| masked(&wrong));
            assert!(outcome.is_err(), "{wrong}");
        }
    }
}
