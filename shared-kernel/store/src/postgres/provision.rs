//! A schema and a role for a context, made by the owner of the database. The
//! role owns its schema and reaches no other, so that the server itself keeps
//! contexts apart.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::fault::server_error;
use super::target::{Purpose, Target, is_name};
use crate::{OpenError, PostgresOptions};

/// How often a script is tried that meets another at the same role.
const TRIES: u32 = 20;
/// The longest wait between two tries.
const IN_THE_WAY: Duration = Duration::from_millis(200);

/// What a context is to have in a database.
#[derive(Clone)]
pub struct Provision {
    /// The schema.
    pub schema: String,
    /// The role that owns it.
    pub role: String,
    /// The role's password, where it is to get one.
    pub password: Option<String>,
}

impl std::fmt::Debug for Provision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Provision");
        shown
            .field("schema", &self.schema)
            .field("role", &self.role);
        shown.finish_non_exhaustive()
    }
}

/// Whether the server knows a role.
pub async fn role_exists(url: &str, role: &str) -> Result<bool, OpenError> {
    let (target, mut connection) = open(url).await?;
    let known = "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1) AS known";
    let row = sqlx::query(known)
        .bind(role)
        .fetch_one(&mut connection)
        .await;
    let known = row.and_then(|row| row.try_get("known"));
    known.map_err(|error| target.explain(&error))
}

/// Makes what is missing of `what`, in one transaction, as the user of `url`.
/// What the schema holds already becomes the role's.
pub async fn provision(url: &str, what: &Provision) -> Result<(), OpenError> {
    for name in [&what.schema, &what.role] {
        if !is_name(name) {
            let rule = "must begin with a letter and have up to 63 lower-case letters, digits and underscores";
            return Err(OpenError::BadUrl(format!("the name {name} {rule}")));
        }
    }
    let (target, mut connection) = open(url).await?;
    let mut made = make(&mut connection, what).await;
    for _ in 1..TRIES {
        if !made.as_ref().is_err_and(is_in_the_way) {
            break;
        }
        tokio::time::sleep(IN_THE_WAY.mul_f64(rand::random())).await;
        made = make(&mut connection, what).await;
    }
    made.map_err(|error| match server_error(&error) {
        Some(said) if said.code() == "42501" => target.no_right("make roles and"),
        Some(said) => OpenError::Migration {
            database: target.server(),
            reason: said.message().to_owned(),
        },
        None => target.explain(&error),
    })
}

async fn make(connection: &mut PgConnection, what: &Provision) -> sqlx::Result<()> {
    let script = sqlx::raw_sql(AssertSqlSafe(script(what)));
    connection.execute(script).await.map(drop)
}

/// Whether somebody made or changed the same role in that very moment: roles
/// belong to the server, and what locks there are belong to a database.
fn is_in_the_way(error: &sqlx::Error) -> bool {
    const UNIQUE_VIOLATION: &str = "23505";
    const DUPLICATE_OBJECT: &str = "42710";
    const CONCURRENTLY_UPDATED: &str = "XX000";
    server_error(error).is_some_and(|said| {
        [UNIQUE_VIOLATION, DUPLICATE_OBJECT, CONCURRENTLY_UPDATED].contains(&said.code())
    })
}

async fn open(url: &str) -> Result<(Target, PgConnection), OpenError> {
    let target = Target::parse("owner", url, &PostgresOptions::default())?;
    let connection = target.connect(Purpose::Own).await;
    let connection = connection.map_err(|error| target.explain(&error))?;
    Ok((target, connection))
}

/// Names are plain words by now; the password is the one thing to be quoted.
fn script(what: &Provision) -> String {
    let Provision {
        schema,
        role,
        password,
    } = what;
    let password = password
        .as_ref()
        .map(|password| {
            format!(
                "ALTER ROLE {role} PASSWORD '{}';",
                password.replace('\'', "''")
            )
        })
        .unwrap_or_default();
    // A simple query of many statements is one transaction.
    format!(
        "SET LOCAL standard_conforming_strings = on; \
         SELECT pg_advisory_xact_lock(hashtext('cleave grant')); \
         DO $grant$ BEGIN \
           IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}') THEN \
             CREATE ROLE {role}; \
           END IF; \
           IF current_user <> '{role}' THEN \
             GRANT {role} TO CURRENT_USER; \
           END IF; \
           EXECUTE format('GRANT CONNECT ON DATABASE %I TO {role}', current_database()); \
         END $grant$; \
         ALTER ROLE {role} LOGIN; {password} \
         CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {role}; \
         ALTER SCHEMA {schema} OWNER TO {role}; \
         REVOKE ALL ON SCHEMA {schema} FROM PUBLIC; \
         DO $own$ DECLARE name text; BEGIN \
           FOR name IN SELECT c.oid::regclass FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = '{schema}' AND c.relkind IN ('r', 'p') LOOP \
             EXECUTE 'ALTER TABLE ' || name || ' OWNER TO {role}'; \
           END LOOP; \
           FOR name IN SELECT c.oid::regclass FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = '{schema}' AND c.relkind = 'S' AND NOT EXISTS \
               (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i')) LOOP \
             EXECUTE 'ALTER SEQUENCE ' || name || ' OWNER TO {role}'; \
           END LOOP; \
         END $own$;"
    )
}
