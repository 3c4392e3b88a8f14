//! What happened to accounts. Events only grow by optional
//! fields; another meaning is a new version.

use cleave_vocabulary::{Event, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// Somebody has an account now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRegistered {
    /// Who.
    pub user_id: UserId,
    /// Where messages reach them.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// When.
    pub registered_at: Timestamp,
}

impl Event for UserRegistered {
    const TYPE: &'static str = "user.registered";

    fn subject(&self) -> String {
        self.user_id.to_string()
    }
}
