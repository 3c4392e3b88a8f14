//! The user context: accounts, sessions, and the keys that prove to every other
//! context who calls. It knows passwords only as hashes and refresh tokens only
//! as digests. It does not know what its users buy.

mod application;
mod audit;
mod credentials;
mod domain;
mod http;
mod persistence;
mod port;
mod settings;

use std::sync::Arc;

use cleave_hosting::{Context, Needs, Task};
use cleave_messaging::DeadLetters;
use cleave_store::StoreError;
use cleave_user_contract::port::{UserPort, routes};
use cleave_vocabulary::{CallContext, EventSource};
use cleave_web::Idempotency;

use crate::application::{Services, ensure_account, signing_keys, sweep};
use crate::credentials::{AccessTokens, Hasher};
use crate::domain::Role;

pub use application::ensure_account::{EnsureError, Ensured};
pub use settings::{HashingSettings, UserSettings};

/// What the context is built from.
pub struct Deps {
    /// What every context needs.
    pub needs: Needs,
    /// Its settings, validated.
    pub settings: UserSettings,
    /// Seals recorded answers that hold tokens, and digests of bodies that hold
    /// passwords. The same at each start, and kept apart from the database.
    pub sealing_key: [u8; 32],
}

/// The context, and what the process that hosts it may do with it.
pub struct UserContext {
    /// What it offers to its host.
    pub context: Context,
    /// What it offers to other contexts.
    pub port: Arc<dyn UserPort>,
    /// For those who set the program up.
    pub accounts: Accounts,
}

/// Builds the context.
pub fn build(deps: Deps) -> UserContext {
    let Deps {
        needs,
        settings,
        sealing_key,
    } = deps;
    let idempotency = needs.idempotency().sealing(&sealing_key);
    let services = Arc::new(Services {
        events: EventSource::new("/contexts/user", needs.clock.clone(), needs.ids.clone()),
        hasher: Hasher::new(&settings.hashing),
        access_tokens: AccessTokens::new(settings.access_token_ttl),
        store: needs.store.clone(),
        clock: needs.clock,
        ids: needs.ids,
        settings,
    });
    let port: Arc<dyn UserPort> = Arc::new(port::LocalUserPort(services.clone()));
    let tasks = tasks(&services, &idempotency);
    let context = Context {
        name: "user",
        api: http::api(services.clone(), idempotency),
        internal: routes(port.clone(), services.clock.clone()),
        handlers: Vec::new(),
        tasks,
        dead_letters: DeadLetters::new(needs.store.clone()),
        store: needs.store,
        guards: Vec::new(),
        sagas: None,
        auditor: Arc::new(audit::UserAuditor(services.clone())),
    };
    UserContext {
        context,
        port,
        accounts: Accounts(services),
    }
}

fn tasks(services: &Arc<Services>, idempotency: &Idempotency) -> Vec<Task> {
    let (services, idempotency) = (services.clone(), idempotency.clone());
    vec![
        Task::new("sweep_sessions", move |stop| sweep::run(services, stop)),
        Task::new("sweep_idempotency", async move |stop| {
            idempotency.sweep_until(stop).await;
        }),
    ]
}

/// Accounts and keys, for those who set the program up. Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Services>);

impl Accounts {
    /// Makes an administrator, unless the address has an account already; that
    /// one stays as it is, its password included.
    pub async fn ensure_admin(
        &self,
        call: &CallContext,
        email: &str,
        password: &str,
    ) -> Result<Ensured, EnsureError> {
        let account = (email, password, "Administrator");
        ensure_account::ensure(&self.0, call, account, Role::Admin).await
    }

    /// Makes a customer, unless the address has an account already.
    pub async fn ensure_customer(
        &self,
        call: &CallContext,
        email: &str,
        password: &str,
        name: &str,
    ) -> Result<Ensured, EnsureError> {
        ensure_account::ensure(&self.0, call, (email, password, name), Role::Customer).await
    }

    /// Makes a new key, which signs access tokens from now on; returns its `kid`.
    /// The keys before it are published for as long as their tokens last.
    pub async fn rotate_signing_key(&self) -> Result<String, StoreError> {
        signing_keys::rotate(&self.0).await
    }
}
