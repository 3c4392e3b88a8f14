//! Email addresses. They are shown as they were written, and compared without
//! regard to case: mail servers that tell `Ada@` from `ada@` are rarer than
//! people who forget which of the two they typed.

use validator::ValidateEmail;

/// The longest address that SMTP can carry (RFC 5321, with RFC 3696's erratum).
const LONGEST: usize = 254;

/// A well-formed address, without blanks around it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EmailAddress(String);

impl EmailAddress {
    /// The address in `text`, where it is one by the rules of HTML's email field.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = text.len() <= LONGEST && text.validate_email();
        fits.then(|| Self(text.to_owned()))
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What uniqueness is judged by.
    pub(crate) fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_case_do_not_make_another_address() {
        let one = EmailAddress::parse(" Ada@Example.com\n").expect("an address");
        let two = EmailAddress::parse("ada@example.COM").expect("an address");
        assert_eq!(one.as_str(), "Ada@Example.com");
        assert_eq!(one.key(), two.key());
    }

    #[test]
    fn what_no_mail_could_reach_is_no_address() {
        let long = format!("a@{}.com", "x".repeat(250));
        for text in [
            "",
            " ",
            "ada",
            "ada@",
            "@example.com",
            "a b@example.com",
            "a@b@c",
            &long,
        ] {
            assert!(EmailAddress::parse(text).is_none(), "{text}");
        }
    }
}
