//! Changes a profile, provided that it still is as its owner saw it.

use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::UserId;

use super::Services;
use crate::domain::{ProfileChange, User};
use crate::persistence::users;

/// Why nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpdateRefusal {
    /// There is no such user (any more).
    Unknown,
    /// The profile has changed since.
    Stale,
}

/// Applies `change` where `expects` agrees with the profile's current version.
pub(crate) async fn update_profile(
    tx: &Tx,
    services: &Services,
    id: UserId,
    expects: impl Fn(i64) -> bool,
    change: &ProfileChange,
) -> Unit<User, UpdateRefusal> {
    let user = users::find(tx, id).await?;
    let user = user.ok_or(UnitError::Refused(UpdateRefusal::Unknown))?;
    if !expects(user.version) {
        return Err(UnitError::Refused(UpdateRefusal::Stale));
    }
    let next = user.changed(change.clone(), services.clock.now());
    if next != user && !users::update_profile(tx, &next, user.version).await? {
        return Err(UnitError::Refused(UpdateRefusal::Stale));
    }
    Ok(next)
}
