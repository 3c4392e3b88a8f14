//! A gateway over a small context, for the tests of this suite.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use cleave::gateway::{self, Front, GatewaySettings, Others, Parts, RateLimitSettings, fetch_keys};
use cleave::host::{Condition, HttpSettings, Metrics};
use cleave_user_contract::port::{GetSigningKeys, SigningKeys, UserPort};
use cleave_vocabulary::{CallContext, Clock, PortError, SystemClock, UserId, UuidV7Ids};
use cleave_web::{AUDIENCE, Claims, ISSUER, Role, TokenVerifier};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

/// The key pair that RFC 8410 (10.3) shows; nobody's secret.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";

/// A gateway, before it is opened.
pub(super) struct Door {
    pub(super) http: HttpSettings,
    pub(super) gateway: GatewaySettings,
    pub(super) health: Condition,
    pub(super) stop: CancellationToken,
}

impl Door {
    /// With no rate limit, and everything else as it comes.
    pub(super) fn new() -> Self {
        Self {
            http: HttpSettings::default(),
            gateway: GatewaySettings {
                rate_limit: RateLimitSettings {
                    enabled: false,
                    ..RateLimitSettings::default()
                },
                ..GatewaySettings::default()
            },
            health: Condition::Ready,
            stop: CancellationToken::new(),
        }
    }

    /// The gateway over one context with these routes.
    pub(super) async fn open(self, routes: Router) -> Router {
        let verifier = TokenVerifier::new(Arc::new(SystemClock));
        fetch_keys(&Keys, &verifier, &SystemClock, &UuidV7Ids)
            .await
            .expect("keys");
        let health = self.health;
        let context = Front {
            name: "order",
            api: OpenApiRouter::from(routes),
            health: Arc::new(move || health.clone()),
        };
        let parts = Parts {
            clock: Arc::new(SystemClock),
            ids: Arc::new(UuidV7Ids),
            verifier,
            users: Arc::new(Keys),
            metrics: Metrics::detached(),
            http: self.http,
            gateway: self.gateway,
            stop: self.stop,
            others: Others::default(),
        };
        gateway::router(vec![context], OpenApiRouter::default(), &parts)
    }
}

/// An access token of this user.
pub(super) fn token(user: UserId, role: Role) -> String {
    let now = SystemClock.now().as_seconds();
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: user,
        role,
        sid: "session".to_owned(),
        iat: now,
        exp: now + 900,
    };
    let header = Header {
        kid: Some("k1".to_owned()),
        ..Header::new(Algorithm::EdDSA)
    };
    let key = EncodingKey::from_ed_pem(PRIVATE.as_bytes()).expect("a key");
    jsonwebtoken::encode(&header, &claims, &key).expect("signed")
}

/// A user context that has keys and nothing else.
pub(super) struct Keys;

#[async_trait]
impl UserPort for Keys {
    async fn signing_keys(
        &self,
        _call: &CallContext,
        _input: GetSigningKeys,
    ) -> Result<SigningKeys, PortError> {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k1", "x": PUBLIC});
        Ok(SigningKeys {
            jwks: json!({"keys": [key]}),
        })
    }
}
