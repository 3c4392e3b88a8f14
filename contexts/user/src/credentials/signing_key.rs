//! The keys that access tokens are signed with: Ed25519, each known by the
//! RFC 7638 thumbprint of its public half. The newest signs; the older ones are
//! published for as long as tokens of theirs may be about.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cleave_vocabulary::Timestamp;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

/// A key pair.
#[derive(Clone)]
pub(crate) struct SigningKey {
    kid: String,
    /// PKCS#8, version 2.
    private: Vec<u8>,
    /// The public half in base64url, as JSON Web Keys write it.
    x: String,
    pub(crate) created_at: Timestamp,
}

/// A key could not be made, or what was stored is none.
#[derive(Debug, thiserror::Error)]
#[error("signing key: {0}")]
pub(crate) struct KeyError(String);

impl KeyError {
    /// Signing with it failed.
    pub(crate) fn signing(error: &jsonwebtoken::errors::Error) -> Self {
        Self(error.to_string())
    }
}

impl SigningKey {
    /// A new key.
    pub(crate) fn generate(now: Timestamp) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|error| KeyError(error.to_string()))?;
        let private = pair
            .to_pkcs8()
            .map_err(|error| KeyError(error.to_string()))?;
        Ok(Self::over(&pair, private.as_ref().to_vec(), now))
    }

    /// The key whose [`Self::private_text`] was stored.
    pub(crate) fn restore(text: &str, created_at: Timestamp) -> Result<Self, KeyError> {
        let private = STANDARD
            .decode(text)
            .map_err(|error| KeyError(error.to_string()))?;
        let pair =
            Ed25519KeyPair::from_pkcs8(&private).map_err(|error| KeyError(error.to_string()))?;
        Ok(Self::over(&pair, private, created_at))
    }

    fn over(pair: &Ed25519KeyPair, private: Vec<u8>, created_at: Timestamp) -> Self {
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        Self {
            kid: URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes())),
            private,
            x,
            created_at,
        }
    }

    /// What a token's header names it by.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The private half as text, for the database.
    pub(crate) fn private_text(&self) -> String {
        STANDARD.encode(&self.private)
    }

    /// For signing tokens.
    pub(crate) fn encoding_key(&self) -> EncodingKey {
        EncodingKey::from_ed_der(&self.private)
    }

    /// The public half as a JSON Web Key (RFC 8037).
    pub(crate) fn jwk(&self) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "x": self.x,
            "kid": self.kid, "use": "sig", "alg": "EdDSA",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_the_database() {
        let key = SigningKey::generate(Timestamp::EPOCH).expect("a key");
        let back = SigningKey::restore(&key.private_text(), Timestamp::EPOCH).expect("a key");
        assert_eq!(back.jwk(), key.jwk());
        assert_eq!(back.kid(), key.kid());
        assert!(SigningKey::restore("bm8=", Timestamp::EPOCH).is_err());
    }

    #[test]
    fn the_kid_is_the_thumbprint_of_the_standard() {
        // RFC 8037, appendices A.1 to A.3.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed.expect("base64")).expect("a seed");
        let key = SigningKey::over(&pair, Vec::new(), Timestamp::EPOCH);
        assert_eq!(
            key.jwk()["x"],
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        );
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_public_key_says_nothing_of_the_private_one() {
        let jwk = SigningKey::generate(Timestamp::EPOCH).expect("a key").jwk();
        assert!(jwk.get("d").is_none());
    }
}
