//! The settings of `topology` and `internal`: where the contexts run, and how
//! the processes that run them talk to each other.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The settings of `topology`: `local`, or the base URL where a context runs,
/// which is where the process that hosts it has `internal.listen`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopologySettings {
    /// Host these contexts and no others: `payment,shipping`; `gateway` for none.
    /// Unset, those that are `local`. A context that is named here is hosted even
    /// where a URL says how others reach it, so that all processes can share a file.
    pub only: Option<String>,
    /// Where the order context runs.
    pub order: String,
    /// Where the payment context runs.
    pub payment: String,
    /// Where the inventory context runs.
    pub inventory: String,
    /// Where the user context runs.
    pub user: String,
    /// Where the notification context runs.
    pub notification: String,
    /// Where the shipping context runs.
    pub shipping: String,
}

/// In this process.
pub const LOCAL: &str = "local";

impl Default for TopologySettings {
    fn default() -> Self {
        let local = || LOCAL.to_owned();
        Self {
            only: None,
            order: local(),
            payment: local(),
            inventory: local(),
            user: local(),
            notification: local(),
            shipping: local(),
        }
    }
}

impl TopologySettings {
    /// Each context and where it is.
    pub fn places(&self) -> [(&'static str, &str); 6] {
        [
            ("order", &self.order),
            ("payment", &self.payment),
            ("inventory", &self.inventory),
            ("user", &self.user),
            ("notification", &self.notification),
            ("shipping", &self.shipping),
        ]
    }
}

/// The settings of `internal`: calls between the processes of a deployment.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InternalSettings {
    /// Where other processes call the contexts of this one; unset, nowhere. No
    /// client may reach it.
    pub listen: Option<SocketAddr>,
    /// The secret of the deployment, the same in every process: from it the keys
    /// of service tokens are derived. 32 characters or more.
    pub key: Option<String>,
}

impl std::fmt::Debug for InternalSettings {
    /// Never shows the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InternalSettings")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}
