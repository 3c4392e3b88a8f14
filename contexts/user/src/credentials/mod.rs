//! What proves who someone is: password hashes, refresh tokens, and signed
//! access tokens. Secrets are made and checked here, and kept in the clear nowhere.

mod access_tokens;
mod hasher;
mod refresh_tokens;
mod signing_key;

pub(crate) use access_tokens::AccessTokens;
pub(crate) use hasher::{HashError, Hasher, Verdict};
pub(crate) use refresh_tokens::{RefreshToken, digest};
pub(crate) use signing_key::{KeyError, SigningKey};

/// Fills `bytes` from the system's generator.
fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system's generator of random bytes works");
}
