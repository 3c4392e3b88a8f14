//! What can be done with accounts and sessions, one use case to a file. A
//! function that takes a [`Tx`](cleave_store::Tx) is the part that commits; what
//! comes before it (hashing above all) happens outside of any transaction.

pub(crate) mod end_session;
pub(crate) mod ensure_account;
pub(crate) mod find_users;
pub(crate) mod refresh_session;
pub(crate) mod register;
mod services;
pub(crate) mod sign_in;
pub(crate) mod signing_keys;
pub(crate) mod sweep;
pub(crate) mod update_profile;

pub(crate) use services::{Services, TokenPair};
