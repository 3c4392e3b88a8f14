//! Rules for what people write, the same in every context: text is taken without
//! the blanks around it, stands on one line, and a country is one. Each rule is
//! a `custom` function of the `validator` crate, or a `deserialize_with` of serde.

use std::borrow::Cow;

use cleave_vocabulary::{NOT_ONE_LINE, is_country, is_one_line};
use serde::{Deserialize, Deserializer};
use validator::ValidationError;

/// Reads text without the blanks around it.
pub fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.trim().to_owned())
}

/// Reads text that may be null, without the blanks around it.
pub fn trimmed_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| text.trim().to_owned()))
}

/// Reads text without the blanks around it; what is nothing else is none.
pub fn trimmed_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text = trimmed_option(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// A rule that was broken: its stable code, and a sentence that begins with `must`.
pub fn broken(code: &'static str, message: impl Into<Cow<'static, str>>) -> ValidationError {
    ValidationError::new(code).with_message(message.into())
}

/// No control characters.
pub fn one_line(text: &str) -> Result<(), ValidationError> {
    if is_one_line(text) {
        Ok(())
    } else {
        let (code, message) = NOT_ONE_LINE;
        Err(broken(code, message))
    }
}

/// One line of `least` to `most` characters, where the `length` of the
/// `validator` crate can't be asked.
pub fn line_of(text: &str, least: usize, most: usize) -> Result<(), ValidationError> {
    let message = || format!("must have {least} to {most} characters");
    match text.chars().count() {
        length if length < least => Err(broken("too_short", message())),
        length if length > most => Err(broken("too_long", message())),
        _ => one_line(text),
    }
}

/// An ISO 3166-1 alpha-2 code.
pub fn country(code: &str) -> Result<(), ValidationError> {
    if is_country(code) {
        Ok(())
    } else {
        Err(broken(
            "invalid_country",
            "must be an ISO 3166-1 alpha-2 code, as in GB",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_which_way_it_is_wrong() {
        let code = |text: &str| line_of(text, 1, 3).err().map(|error| error.code);
        assert_eq!(code("abc"), None);
        for (text, expected) in [
            ("", "too_short"),
            ("abcd", "too_long"),
            ("a\u{0}", "control_characters"),
        ] {
            assert_eq!(code(text).as_deref(), Some(expected), "{text:?}");
        }
    }
}
