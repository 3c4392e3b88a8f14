//! Makes sure that an account exists, for those who set the program up: the
//! first administrator, and the customer of a demonstration. It never changes an
//! account that is there: no password is reset, no role is raised.

use std::sync::Arc;

use cleave_store::{Store, StoreError, Unit, UnitError};
use cleave_vocabulary::{CallContext, UserId};
use sea_orm::DbErr;

use super::Services;
use super::register::{self, RegisterRefusal};
use crate::credentials::HashError;
use crate::domain::{EmailAddress, NewAccount, Password, Role, User};
use crate::persistence::users;

/// How it stands with the account now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was made, with the password given.
    Created(UserId),
    /// It was there already, in the same role, and is as it was.
    Existed(UserId),
    /// The address belongs to an account of another role, which is as it was.
    OtherRole(UserId),
}

/// Why there may be no such account.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError {
    /// The address is none.
    #[error("the email address is not valid")]
    InvalidEmail,
    /// The password is too short or too long.
    #[error("the password must be 12 to 1024 characters long")]
    InvalidPassword,
    /// The name is empty.
    #[error("the name must not be empty")]
    InvalidName,
    /// The password could not be hashed.
    #[error("{0}")]
    Hashing(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<HashError> for EnsureError {
    fn from(error: HashError) -> Self {
        Self::Hashing(error.to_string())
    }
}

/// Ensures an account of `role`.
pub(crate) async fn ensure(
    services: &Arc<Services>,
    call: &CallContext,
    (email, password, name): (&str, &str, &str),
    role: Role,
) -> Result<Ensured, EnsureError> {
    let email = EmailAddress::parse(email).ok_or(EnsureError::InvalidEmail)?;
    if let Some(user) = find(&services.store, &email).await? {
        return Ok(existing(&user, role));
    }
    let account = NewAccount {
        email: email.clone(),
        password: Password::new(password.to_owned()).ok_or(EnsureError::InvalidPassword)?,
        name: some_name(name).ok_or(EnsureError::InvalidName)?,
        role,
    };
    let prepared = register::prepare(services, account).await?;
    let (within, call) = (services.clone(), call.clone());
    let made = services
        .store
        .write(async move |tx| register::register(tx, &within, &call, &prepared).await);
    match made.await {
        Ok(user) => Ok(Ensured::Created(user.id)),
        Err(UnitError::Failed(error)) => Err(error.into()),
        // Somebody made it between the look and the unit.
        Err(UnitError::Refused(RegisterRefusal::EmailTaken)) => {
            let user = find(&services.store, &email).await?;
            let user = user.ok_or(StoreError::Database(DbErr::RecordNotFound(
                "an account that was there".into(),
            )))?;
            Ok(existing(&user, role))
        }
    }
}

fn some_name(name: &str) -> Option<String> {
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

fn existing(user: &User, role: Role) -> Ensured {
    if user.role == role {
        Ensured::Existed(user.id)
    } else {
        Ensured::OtherRole(user.id)
    }
}

async fn find(store: &Store, email: &EmailAddress) -> Result<Option<User>, StoreError> {
    let email = email.clone();
    let found = store.read(async move |tx| Unit::Ok(users::find_by_email(tx, &email).await?));
    let found = found.await.map_err(UnitError::into_store_error)?;
    Ok(found.map(|(user, _)| user))
}
