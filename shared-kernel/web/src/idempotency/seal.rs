//! Keeps secrets out of the database: keyed digests (HMAC-SHA-256) and
//! encrypted answers (AES-256-GCM with a random nonce, bound to their key's row).

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sea_orm::DbErr;
use uuid::Uuid;

use super::scope::first_half;

/// The secret key of a context, where it has one.
#[derive(Clone)]
pub(super) struct Seal(Option<Arc<Keys>>);

struct Keys {
    digest: hmac::Key,
    body: RandomizedNonceKey,
}

impl Seal {
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Two keys from one, so that neither use tells anything about the other.
    pub(super) fn with(key: &[u8; 32]) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, key);
        let derive = |label: &[u8]| hmac::sign(&root, label);
        let body = RandomizedNonceKey::new(&AES_256_GCM, derive(b"idempotency body").as_ref());
        // An HMAC-SHA-256 has the 32 bytes that the cipher asks for.
        let body = body.expect("a key of 32 bytes");
        let digest = derive(b"idempotency digest");
        let digest = hmac::Key::new(hmac::HMAC_SHA256, digest.as_ref());
        Self(Some(Arc::new(Keys { digest, body })))
    }

    /// What is recorded of a body's digest.
    pub(super) fn digest(&self, digest: [u8; 32]) -> Uuid {
        let mut recorded = digest;
        if let Some(keys) = &self.0 {
            recorded.copy_from_slice(hmac::sign(&keys.digest, &digest).as_ref());
        }
        first_half(&recorded)
    }

    /// The body, encrypted, as text.
    pub(super) fn close(&self, row: Uuid, body: &[u8]) -> Result<String, DbErr> {
        let keys = self.keys()?;
        let mut bytes = body.to_vec();
        let nonce = keys
            .body
            .seal_in_place_append_tag(Aad::from(row.as_bytes()), &mut bytes)
            .map_err(|_| defect("an answer could not be sealed"))?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut bytes);
        Ok(STANDARD_NO_PAD.encode(sealed))
    }

    /// The body again.
    pub(super) fn open(&self, row: Uuid, text: &str) -> Result<Vec<u8>, DbErr> {
        let keys = self.keys()?;
        let failed = || defect("a sealed answer could not be opened: was the key changed?");
        let sealed = STANDARD_NO_PAD.decode(text).map_err(|_| failed())?;
        let (nonce, bytes) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(failed)?;
        let mut bytes = bytes.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let body = keys
            .body
            .open_in_place(nonce, Aad::from(row.as_bytes()), &mut bytes)
            .map_err(|_| failed())?;
        Ok(body.to_vec())
    }

    fn keys(&self) -> Result<&Keys, DbErr> {
        let keys = self.0.as_deref();
        keys.ok_or_else(|| defect("a sealed answer needs a sealing key"))
    }
}

fn defect(what: &str) -> DbErr {
    DbErr::Custom(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_body_opens_with_its_key_and_row_alone() {
        let (seal, row) = (Seal::with(&[1; 32]), Uuid::from_u128(1));
        let text = seal.close(row, b"secret").expect("sealed");
        assert!(!text.contains("secret"));
        assert_ne!(text, seal.close(row, b"secret").expect("sealed"));
        assert_eq!(seal.open(row, &text).expect("opened"), b"secret");
        assert!(seal.open(Uuid::from_u128(2), &text).is_err());
        assert!(Seal::with(&[2; 32]).open(row, &text).is_err());
        assert!(Seal::none().close(row, b"secret").is_err());
        assert!(seal.open(row, "AAAA").is_err());
    }

    #[test]
    fn a_keyed_digest_tells_nothing_without_the_key() {
        let digest = [7; 32];
        let keyed = Seal::with(&[1; 32]).digest(digest);
        assert_eq!(keyed, Seal::with(&[1; 32]).digest(digest));
        assert_ne!(keyed, Seal::with(&[2; 32]).digest(digest));
        assert_ne!(keyed, Seal::none().digest(digest));
    }
}
