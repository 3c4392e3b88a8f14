//! What the use cases share.

use std::sync::Arc;

use cleave_store::{Store, Tx};
use cleave_vocabulary::{Clock, EventSource, IdSource, Timestamp};
use sea_orm::DbErr;

use super::signing_keys;
use crate::UserSettings;
use crate::credentials::{AccessTokens, Hasher, RefreshToken};
use crate::domain::{SessionId, User};
use crate::persistence::sessions::NewToken;

/// What the use cases share.
pub(crate) struct Services {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) events: EventSource,
    pub(crate) hasher: Hasher,
    pub(crate) access_tokens: AccessTokens,
    pub(crate) settings: UserSettings,
}

/// What a client signs in with from now on.
pub(crate) struct TokenPair {
    pub(crate) access_token: String,
    pub(crate) expires_in: u64,
    pub(crate) refresh_token: String,
}

impl Services {
    /// A pair of tokens for `user` in `session`, and the refresh token as it is to be kept.
    pub(super) async fn mint(
        &self,
        tx: &Tx,
        user: &User,
        session: SessionId,
        now: Timestamp,
    ) -> Result<(TokenPair, NewToken), DbErr> {
        let key = signing_keys::current(tx, now).await?;
        let access_token = self.access_tokens.issue(&key, user, session, now);
        let refresh_token = RefreshToken::generate();
        let kept = NewToken {
            digest: refresh_token.digest(),
            issued_at: now,
            expires_at: now.plus(self.settings.refresh_token_ttl),
        };
        let pair = TokenPair {
            access_token: access_token.map_err(|error| DbErr::Custom(error.to_string()))?,
            expires_in: self.access_tokens.expires_in(),
            refresh_token: refresh_token.into_string(),
        };
        Ok((pair, kept))
    }
}
