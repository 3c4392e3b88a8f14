//! Refresh tokens: 256 random bits that mean nothing. Databases keep their
//! SHA-256 alone; with so much randomness no salt is needed.

use aws_lc_rs::digest::{SHA256, digest as hash};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A refresh token in the clear, on its way to the client that asked for it.
pub(crate) struct RefreshToken(String);

impl RefreshToken {
    /// A new one.
    pub(crate) fn generate() -> Self {
        let mut random = [0; 32];
        super::fill(&mut random);
        Self(URL_SAFE_NO_PAD.encode(random))
    }

    /// What the database keeps.
    pub(crate) fn digest(&self) -> String {
        digest(&self.0)
    }

    /// The characters to hand out.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// The SHA-256 of a token that somebody showed, in hexadecimal.
pub(crate) fn digest(token: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in hash(&SHA256, token.as_bytes()).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_digest() {
        let (one, two) = (RefreshToken::generate(), RefreshToken::generate());
        assert_ne!(one.digest(), two.digest());
        let kept = one.digest();
        assert_eq!(digest(&one.into_string()), kept);
    }

    #[test]
    fn the_digest_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest("abc"), expected);
    }
}
