//! The rules for what comes in, and how it is read: text is trimmed, has no
//! control characters, and is never blank where something is asked for.

use std::borrow::Cow;

use cleave_vocabulary::is_country;
use serde::{Deserialize, Deserializer};
use validator::{Validate, ValidationError, ValidationErrors};

use crate::domain::{Change, EmailAddress};

/// Reads text without the blanks around it.
pub(super) fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    Ok(text.trim().to_owned())
}

/// Reads text without the blanks around it; what is nothing else is none.
pub(super) fn trimmed_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    let text = text.map(|text| text.trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()))
}

/// Reads a member that is there: null clears it. For one that is not there,
/// serde's default keeps it.
pub(super) fn change<'de, D, T>(deserializer: D) -> Result<Change<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let value = Option::<T>::deserialize(deserializer)?;
    Ok(value.map_or(Change::Clear, Change::Set))
}

/// Reads text that is there, trimmed.
pub(super) fn trimmed_change<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Change<String>, D::Error> {
    let value = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    Ok(value.map_or(Change::Clear, |text| Change::Set(text.trim().to_owned())))
}

impl<T: Validate> Validate for Change<T> {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            Self::Set(value) => value.validate(),
            Self::Keep | Self::Clear => Ok(()),
        }
    }
}

fn broken(code: &'static str, message: &'static str) -> ValidationError {
    ValidationError::new(code).with_message(message.into())
}

/// No control characters: a name is one line.
pub(super) fn one_line(text: &str) -> Result<(), ValidationError> {
    if text.chars().any(char::is_control) {
        return Err(broken("invalid", "must not contain control characters"));
    }
    Ok(())
}

/// An address that mail could reach.
pub(super) fn email(text: &str) -> Result<(), ValidationError> {
    match EmailAddress::parse(text) {
        Some(_) => Ok(()),
        None => Err(broken("invalid_email", "must be an email address")),
    }
}

/// A name as a patch may change it: not away.
pub(super) fn changed_name(name: &Change<String>) -> Result<(), ValidationError> {
    match name {
        Change::Keep => Ok(()),
        Change::Clear => Err(broken("required", "must not be null")),
        Change::Set(name) if (1..=200).contains(&name.chars().count()) => one_line(name),
        Change::Set(_) => Err(broken("length", "must be 1 to 200 characters long")),
    }
}

/// A telephone number as people write it: digits, with an optional plus before
/// and the usual marks between. What a number looks like is each country's affair.
pub(super) fn changed_phone(phone: &Change<String>) -> Result<(), ValidationError> {
    let Change::Set(phone) = phone else {
        return Ok(());
    };
    let number = phone.strip_prefix('+').unwrap_or(phone);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let marks = number
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b' ' | b'-' | b'.' | b'(' | b')' | b'/'));
    if marks && (5..=15).contains(&digits) && phone.len() <= 32 {
        Ok(())
    } else {
        Err(broken(
            "invalid_phone",
            "must be a telephone number: 5 to 15 digits, with an optional + before them",
        ))
    }
}

/// An ISO 3166-1 alpha-2 code.
pub(super) fn country(code: &str) -> Result<(), ValidationError> {
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
    fn telephone_numbers_are_digits_with_the_usual_marks() {
        for phone in [
            "+44 20 7946 0000",
            "(020) 7946-0000",
            "030/1234567",
            "12345",
        ] {
            assert!(changed_phone(&Change::Set(phone.into())).is_ok(), "{phone}");
        }
        for phone in [
            "",
            "+",
            "1234",
            "+44 20 79x6",
            "1+23456",
            "1234567890123456",
        ] {
            assert!(
                changed_phone(&Change::Set(phone.into())).is_err(),
                "{phone}"
            );
        }
        assert!(changed_phone(&Change::Clear).is_ok());
    }

    #[test]
    fn a_name_cannot_be_taken_away() {
        assert!(changed_name(&Change::Keep).is_ok());
        assert!(changed_name(&Change::Set("Ada".into())).is_ok());
        for name in [
            Change::Clear,
            Change::Set(String::new()),
            Change::Set("A\u{0}".into()),
        ] {
            assert!(changed_name(&name).is_err(), "{name:?}");
        }
    }
}
