//! The rules that accounts alone have, beside those of every context
//! (`cleave_web::rules`), and how a merge patch is read.

use cleave_web::rules::{broken, line_of, trimmed_option};
use serde::{Deserialize, Deserializer};
use validator::{Validate, ValidationError, ValidationErrors};

use crate::domain::{Change, EmailAddress};

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
    let value = trimmed_option(deserializer)?;
    Ok(value.map_or(Change::Clear, Change::Set))
}

impl<T: Validate> Validate for Change<T> {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            Self::Set(value) => value.validate(),
            Self::Keep | Self::Clear => Ok(()),
        }
    }
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
        Change::Clear => Err(broken("invalid_type", "must be a string")),
        Change::Set(name) => line_of(name, 1, 200),
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
