//! What other contexts may ask of accounts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for the public keys that access tokens are signed with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GetSigningKeys {}

/// The public keys, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SigningKeys {
    /// A JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037).
    pub jwks: serde_json::Value,
}

cleave_seam::port! {
    /// Accounts, as other contexts use them.
    pub port UserPort for "user" {
        /// The public keys that access tokens are signed with.
        query signing_keys(GetSigningKeys) -> SigningKeys;
    }
}
