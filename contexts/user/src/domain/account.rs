//! A user's account, and the changes that its owner may make to it.

use cleave_vocabulary::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::{EmailAddress, Password};

/// What someone may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Buys.
    Customer,
    /// Operates.
    Admin,
}

impl Role {
    /// The name that rows keep.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Customer, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// Where a user's orders go by default. Held to the rules of an order's
/// shipping address when it comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) line1: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) line2: Option<String>,
    pub(crate) city: String,
    pub(crate) postal_code: String,
    pub(crate) country: String,
}

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) phone: Option<String>,
    pub(crate) default_address: Option<Address>,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// What an account is made from.
#[derive(Clone)]
pub(crate) struct NewAccount {
    pub(crate) email: EmailAddress,
    pub(crate) password: Password,
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// What a merge patch (RFC 7396) does to one member. It can be written as JSON
/// because `validator` keeps the value beside the error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(untagged)]
pub(crate) enum Change<T> {
    /// The member is not in the patch.
    #[default]
    Keep,
    /// The member is null.
    Clear,
    /// The member has a value.
    Set(T),
}

impl<T> Change<T> {
    /// The same change of something else.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Change<U> {
        match self {
            Self::Keep => Change::Keep,
            Self::Clear => Change::Clear,
            Self::Set(value) => Change::Set(map(value)),
        }
    }

    fn apply(self, to: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *to = None,
            Self::Set(value) => *to = Some(value),
        }
    }
}

/// A change to a profile. A name can be changed, but nobody is without one.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProfileChange {
    pub(crate) name: Option<String>,
    pub(crate) phone: Change<String>,
    pub(crate) default_address: Change<Address>,
}

impl User {
    /// The user as changed at `now`, one version on; the very same where nothing changes.
    pub(crate) fn changed(&self, change: ProfileChange, now: Timestamp) -> Self {
        let mut next = self.clone();
        if let Some(name) = change.name {
            next.name = name;
        }
        change.phone.apply(&mut next.phone);
        change.default_address.apply(&mut next.default_address);
        if next != *self {
            next.version += 1;
            next.updated_at = now;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cleave_vocabulary::{Clock, ManualClock};
    use uuid::Uuid;

    fn ada() -> User {
        let now = ManualClock::default().now();
        User {
            id: UserId::from_uuid(Uuid::from_u128(1)),
            email: "ada@example.com".into(),
            name: "Ada".into(),
            role: Role::Customer,
            phone: Some("+44 20 7946 0000".into()),
            default_address: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn a_change_touches_what_it_names_and_counts_a_version() {
        let later = Timestamp::from_micros(9_000_000_000_000_000);
        let change = ProfileChange {
            name: Some("Ada L.".into()),
            phone: Change::Clear,
            default_address: Change::Keep,
        };
        let changed = ada().changed(change, later);
        assert_eq!((changed.name.as_str(), changed.phone), ("Ada L.", None));
        assert_eq!((changed.version, changed.updated_at), (2, later));
    }

    #[test]
    fn a_change_that_changes_nothing_is_no_new_version() {
        let same = ProfileChange {
            name: Some("Ada".into()),
            ..ProfileChange::default()
        };
        let later = Timestamp::from_micros(9_000_000_000_000_000);
        assert_eq!(ada().changed(same, later), ada());
    }
}
