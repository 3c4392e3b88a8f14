//! Begins a session for whoever knows the password. An address without an
//! account gets the same answer after the same work as a wrong password, so
//! that nobody learns here who has an account.

use cleave_store::{StoreError, Tx, Unit, UnitError};

use super::{Services, TokenPair};
use crate::credentials::{HashError, Verdict};
use crate::domain::{EmailAddress, Password, SessionId, User};
use crate::persistence::{sessions, users};

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    /// No such account, or not its password.
    #[error("invalid credentials")]
    InvalidCredentials,
    /// The password could not be verified.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The account could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Someone who has shown the password of an account.
pub(crate) struct Verified {
    pub(crate) user: User,
    /// Where the stored hash is outdated: that hash, and one made by today's rules.
    rehash: Option<(String, String)>,
}

/// Verifies the password: the part that takes long.
pub(crate) async fn verify(
    services: &Services,
    email: &str,
    password: Password,
) -> Result<Verified, SignInError> {
    let account = find(services, email).await?;
    let stored = account.as_ref().map(|(_, hash)| hash.as_str());
    let verdict = services.hasher.verify(password.clone(), stored).await?;
    match (account, verdict) {
        (Some((user, hash)), Verdict::Right { outdated }) => {
            let rehash = if outdated {
                Some((hash, services.hasher.hash(password).await?))
            } else {
                None
            };
            Ok(Verified { user, rehash })
        }
        _ => Err(SignInError::InvalidCredentials),
    }
}

/// The account of that address; what is no address costs a query all the same.
async fn find(services: &Services, email: &str) -> Result<Option<(User, String)>, StoreError> {
    let email = EmailAddress::parse(email);
    let found = services.store.read(async move |tx| {
        Unit::Ok(match &email {
            Some(email) => users::find_by_email(tx, email).await?,
            None => None,
        })
    });
    found.await.map_err(UnitError::into_store_error)
}

/// Begins the session.
pub(crate) async fn open_session(
    tx: &Tx,
    services: &Services,
    verified: &Verified,
) -> Unit<TokenPair> {
    if let Some((from, to)) = &verified.rehash {
        users::rehash(tx, verified.user.id, from, to).await?;
    }
    let now = services.clock.now();
    let session: SessionId = services.ids.next();
    let (pair, first) = services.mint(tx, &verified.user, session, now).await?;
    sessions::open(tx, session, verified.user.id, first).await?;
    Ok(pair)
}
