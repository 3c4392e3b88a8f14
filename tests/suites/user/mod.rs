//! Suite: accounts and sessions, over the router and a real store.

mod administration;
mod profile;
mod registration;
mod sessions;
mod setup;

use cleave_tests::stores::{TempStore, events_of};
use std::sync::Arc;

use cleave_hosting::{Auditor, Needs, Task};
use cleave_store::{Store, Unit};
use cleave_tests::api::{Api, Told};
use cleave_user::{Accounts, Deps, EnsureError, Ensured, HashingSettings, UserSettings};
use cleave_user_contract::port::{GetSigningKeys, UserPort};
use cleave_vocabulary::{CallContext, Envelope, ManualClock, SequentialIds, UuidV7Ids};
use cleave_web::TokenVerifier;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery staple";

/// The context over a store of its own.
struct World {
    store: TempStore,
    clock: ManualClock,
    api: Api,
    accounts: Accounts,
    port: Arc<dyn UserPort>,
    auditor: Arc<dyn Auditor>,
    tasks: Vec<Task>,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(adjust: impl FnOnce(&mut UserSettings)) -> Self {
        let store = TempStore::open::<cleave_migrations::user::Migrator>().await;
        Self::over(store, ManualClock::default(), adjust).await
    }

    /// The same store and time, after a restart.
    async fn restarted(self, adjust: impl FnOnce(&mut UserSettings)) -> Self {
        Self::over(self.store, self.clock, adjust).await
    }

    async fn over(
        store: TempStore,
        clock: ManualClock,
        adjust: impl FnOnce(&mut UserSettings),
    ) -> Self {
        let mut settings = UserSettings {
            // The cheapest there are: what is tested here is not their strength.
            hashing: HashingSettings {
                memory_kib: 8,
                iterations: 1,
                ..HashingSettings::default()
            },
            ..UserSettings::default()
        };
        adjust(&mut settings);
        settings.validate().expect("valid settings");
        let user = cleave_user::build(Deps {
            needs: Needs {
                store: store.store.clone(),
                clock: Arc::new(clock.clone()),
                ids: Arc::new(UuidV7Ids),
                idempotency: cleave_web::IdempotencyOptions::default(),
            },
            settings,
            sealing_key: [7; 32],
        });
        let verifier = TokenVerifier::new(Arc::new(clock.clone()));
        let keys = user.port.signing_keys(&call(), GetSigningKeys {}).await;
        verifier
            .set_keys(&keys.expect("keys").jwks)
            .expect("a key set");
        Self {
            api: Api::verifying(user.context.api.split_for_parts().0, verifier),
            accounts: user.accounts,
            port: user.port,
            auditor: user.context.auditor,
            tasks: user.context.tasks,
            store,
            clock,
        }
    }

    fn store(&self) -> &Store {
        &self.store.store
    }

    async fn register(&self, email: &str) -> Told {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada Lovelace"});
        self.api.post("/api/v1/users").json(&body).send().await
    }

    async fn sign_in(&self, email: &str, password: &str) -> Told {
        let body = json!({"email": email, "password": password});
        let ask = self.api.post("/api/v1/users/sessions").json(&body);
        ask.send().await
    }

    /// A new customer with a session.
    async fn customer(&self, email: &str) -> Session {
        self.register(email).await.expect(201);
        Session::of(&self.sign_in(email, PASSWORD).await.expect(201))
    }

    /// An administrator with a session.
    async fn admin(&self) -> Session {
        let made = self.ensure_admin("admin@example.com", PASSWORD).await;
        made.expect("an admin");
        let told = self.sign_in("admin@example.com", PASSWORD).await;
        Session::of(&told.expect(201))
    }

    async fn ensure_admin(&self, email: &str, password: &str) -> Result<Ensured, EnsureError> {
        let call = call();
        self.accounts.ensure_admin(&call, email, password).await
    }

    async fn refresh(&self, token: &str) -> Told {
        let body = json!({ "refresh_token": token });
        let ask = self.api.post("/api/v1/users/sessions/refresh").json(&body);
        ask.send().await
    }

    async fn me(&self, session: &Session) -> Told {
        let ask = self.api.get("/api/v1/users/me").bearer(&session.access);
        ask.send().await
    }

    /// The events written so far.
    async fn events(&self) -> Vec<Envelope> {
        events_of(self.store()).await
    }

    /// Every value of a text column.
    async fn texts(&self, table: &str, column: &str) -> Vec<String> {
        let sql = format!("SELECT {column} AS it FROM {table} ORDER BY 1");
        let rows = self.rows(&sql).await;
        let texts = rows.iter().map(|row| row.try_get("", "it"));
        texts.collect::<Result<_, _>>().expect("text")
    }

    async fn rows(&self, sql: &str) -> Vec<QueryResult> {
        let sql = sql.to_owned();
        let rows: Unit<_> = self
            .store()
            .read(async move |tx| {
                let query = Statement::from_string(tx.get_database_backend(), sql.clone());
                Ok(tx.query_all_raw(query).await?)
            })
            .await;
        rows.expect("rows")
    }
}

/// A pair of tokens.
struct Session {
    access: String,
    refresh: String,
}

impl Session {
    fn of(told: &Told) -> Self {
        Self {
            access: told.text("access_token").into(),
            refresh: told.text("refresh_token").into(),
        }
    }
}

fn call() -> CallContext {
    CallContext::root(&SequentialIds::default())
}

/// The names and codes of the fields that a problem complains of.
fn faults(told: &Told) -> Vec<String> {
    let errors = told.json["errors"].as_array().expect("errors");
    let fault = |error: &Value| {
        let member = |name: &str| error[name].as_str().expect("text").to_owned();
        format!("{}: {}", member("field"), member("code"))
    };
    errors.iter().map(fault).collect()
}
