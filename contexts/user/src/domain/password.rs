//! Passwords on their way to be hashed or verified. Length is the only rule
//! (NIST SP 800-63B): long ones are let be, and long enough is enough.

use std::fmt;

/// Characters in the shortest password.
pub(crate) const SHORTEST: usize = 12;
/// Characters in the longest: a bound on what has to be hashed.
pub(crate) const LONGEST: usize = 1024;

/// A password in the clear. It can be neither printed nor compared.
#[derive(Clone)]
pub(crate) struct Password(String);

impl Password {
    /// A password to be set: only one of a length that is allowed.
    pub(crate) fn new(text: String) -> Option<Self> {
        let length = text.chars().count();
        (SHORTEST..=LONGEST).contains(&length).then_some(Self(text))
    }

    /// A password to be tried; whether it is the right one is not a matter of rules.
    pub(crate) fn attempt(text: String) -> Self {
        Self(text)
    }

    /// The bytes to hash.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_not_bytes() {
        assert!(Password::new("é".repeat(11)).is_none());
        assert!(Password::new("é".repeat(12)).is_some());
        assert!(Password::new("é".repeat(1024)).is_some());
        assert!(Password::new("é".repeat(1025)).is_none());
    }

    #[test]
    fn a_password_is_never_printed() {
        let password = Password::attempt("correct horse battery".into());
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
