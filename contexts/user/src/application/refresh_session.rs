//! Exchanges a refresh token for a new pair.

use cleave_store::{Tx, Unit, UnitError};

use super::{Services, TokenPair};
use crate::domain::{EndReason, RefreshRefusal, SessionId};
use crate::persistence::{sessions, users};

/// Uses the token with `digest` up and issues the next pair. The user is read
/// anew, so that a change of role shows in the next access token.
pub(crate) async fn refresh(
    tx: &Tx,
    services: &Services,
    digest: &str,
) -> Unit<TokenPair, RefreshRefusal> {
    let now = services.clock.now();
    let refused = UnitError::Refused;
    let token = sessions::presented(tx, digest).await?;
    let token = token.ok_or(refused(RefreshRefusal::Unknown))?;
    token.judge(now).map_err(refused)?;
    if !sessions::use_up(tx, digest, now).await? {
        let live = Some(token.session);
        return Err(refused(RefreshRefusal::Reused { live }));
    }
    let user = users::find(tx, token.user).await?;
    let user = user.ok_or(refused(RefreshRefusal::Unknown))?;
    let (pair, next) = services.mint(tx, &user, token.session, now).await?;
    sessions::rotate(tx, token.session, next).await?;
    Ok(pair)
}

/// Ends the family of a token that was used twice.
pub(crate) async fn end_family(tx: &Tx, services: &Services, session: SessionId) -> Unit<()> {
    let now = services.clock.now();
    sessions::end(tx, session, EndReason::Reused, now).await?;
    Ok(())
}
