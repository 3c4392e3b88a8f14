//! Makes an account.

use cleave_messaging::Outbox;
use cleave_store::{Tx, Unit, UnitError};
use cleave_user_contract::events::UserRegistered;
use cleave_vocabulary::CallContext;

use super::Services;
use crate::credentials::HashError;
use crate::domain::{EmailAddress, NewAccount, Role, User};
use crate::persistence::users;

/// Why there is no new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegisterRefusal {
    /// The address has one.
    EmailTaken,
}

/// An account to be made, its password hashed.
pub(crate) struct Prepared {
    email: EmailAddress,
    password_hash: String,
    name: String,
    role: Role,
}

/// Hashes the password: the part that takes long, and touches no database.
pub(crate) async fn prepare(
    services: &Services,
    account: NewAccount,
) -> Result<Prepared, HashError> {
    Ok(Prepared {
        password_hash: services.hasher.hash(account.password).await?,
        email: account.email,
        name: account.name,
        role: account.role,
    })
}

/// Makes the account and says so.
pub(crate) async fn register(
    tx: &Tx,
    services: &Services,
    call: &CallContext,
    account: &Prepared,
) -> Unit<User, RegisterRefusal> {
    let now = services.clock.now();
    let user = User {
        id: services.ids.next(),
        email: account.email.as_str().to_owned(),
        name: account.name.clone(),
        role: account.role,
        phone: None,
        default_address: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    if !users::insert(tx, &user, &account.email, &account.password_hash).await? {
        return Err(UnitError::Refused(RegisterRefusal::EmailTaken));
    }
    let registered = UserRegistered {
        user_id: user.id,
        email: user.email.clone(),
        name: user.name.clone(),
        registered_at: now,
    };
    Outbox::append(tx, &[services.events.event(call, &registered)]).await?;
    Ok(user)
}
