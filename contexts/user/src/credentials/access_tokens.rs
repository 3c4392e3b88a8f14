//! Access tokens: JSON Web Tokens signed with Ed25519 (RFC 7519, RFC 8037).
//! Short-lived, because nobody asks here again before one is believed.

use std::time::Duration;

use cleave_vocabulary::Timestamp;
use cleave_web::{AUDIENCE, Claims, ISSUER};
use jsonwebtoken::{Algorithm, Header, encode};

use super::{KeyError, SigningKey};
use crate::domain::{Role, SessionId, User};

/// Issues access tokens.
pub(crate) struct AccessTokens {
    ttl: Duration,
}

impl AccessTokens {
    /// Of tokens that last for `ttl`.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl }
    }

    /// Seconds that a token lasts for.
    pub(crate) fn expires_in(&self) -> u64 {
        self.ttl.as_secs()
    }

    /// A token for `user` in `session`, good from `now`.
    pub(crate) fn issue(
        &self,
        key: &SigningKey,
        user: &User,
        session: SessionId,
        now: Timestamp,
    ) -> Result<String, KeyError> {
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: user.id,
            role: match user.role {
                Role::Customer => cleave_web::Role::Customer,
                Role::Admin => cleave_web::Role::Admin,
            },
            sid: session.to_string(),
            iat: now.as_seconds(),
            exp: now.plus(self.ttl).as_seconds(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(key.kid().to_owned());
        encode(&header, &claims, &key.encoding_key()).map_err(|error| KeyError::signing(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cleave_vocabulary::{Clock, ManualClock, UserId};
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use uuid::Uuid;

    #[test]
    fn a_token_verifies_with_the_published_key() {
        let now = ManualClock::default().now();
        let user = User {
            id: UserId::from_uuid(Uuid::from_u128(1)),
            email: "ada@example.com".into(),
            name: "Ada".into(),
            role: Role::Admin,
            phone: None,
            default_address: None,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let key = SigningKey::generate(now).expect("a key");
        let session = SessionId::from_uuid(Uuid::from_u128(2));
        let tokens = AccessTokens::new(Duration::from_mins(15));
        let token = tokens.issue(&key, &user, session, now).expect("a token");

        let jwk = serde_json::from_value(key.jwk()).expect("a JWK");
        let public = DecodingKey::from_jwk(&jwk).expect("a key");
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.validate_exp = false;
        let decoded = decode::<Claims>(&token, &public, &validation).expect("verifies");
        assert_eq!(decoded.header.kid.as_deref(), Some(key.kid()));
        let claims = decoded.claims;
        assert_eq!(claims.sub, user.id);
        assert_eq!(claims.role, cleave_web::Role::Admin);
        assert_eq!(claims.sid, session.to_string());
        assert_eq!(claims.exp - claims.iat, 900);
    }
}
