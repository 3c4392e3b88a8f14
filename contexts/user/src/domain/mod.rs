//! Accounts and sessions, pure: what an address is, when a refresh token still
//! counts, what a change to a profile does. Nothing here hashes, signs, waits or
//! asks the time.

mod account;
mod email;
mod password;
mod session;

pub(crate) use account::{Address, Change, NewAccount, ProfileChange, Role, User};
pub(crate) use email::EmailAddress;
pub(crate) use password::Password;
pub(crate) use session::{EndReason, PresentedToken, RefreshRefusal, SessionId, Standing};
