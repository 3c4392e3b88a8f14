//! `cleave migrate`: brings databases up to date, and on Postgres makes a schema
//! and a role for each context.

use std::fmt::Write as _;

use clap::Args;
use cleave_store::{Provision, Store, provision, role_exists};
use rand::Rng;

use super::{CommandError, CommandResult, Sources};
use crate::assembly::{self, Access, World};
use crate::settings::{DatabaseUrl, Settings};
use crate::topology::CONTEXTS;

/// Brings the databases up to date; `serve` does that too, where its roles may
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cleave migrate
  CLEAVE__DATABASE__URL=postgres://owner@db/shop cleave migrate --grant >> cleave.env
  CLEAVE__DATABASE__URL=postgres://owner@db/pay cleave migrate --grant --only payment >> cleave.env

With --grant, database.url names the database by its owner, who may create roles. Each
context gets a schema and a role of its own, which reaches no other context's tables. A
role that is new gets a password, and its URL goes to standard output, once; a role and
a password that database.<context>.url names are made as they are named. A context whose
URL names another database is left out: run it there too, with --only where no URL says
yet which contexts are to be there.")]
pub(super) struct Migrate {
    #[command(flatten)]
    sources: Sources,
    /// As the owner of the database, make each context's schema and role first
    #[arg(long)]
    grant: bool,
    /// With --grant, for these contexts only
    #[arg(
        long,
        value_name = "CONTEXTS",
        value_delimiter = ',',
        requires = "grant"
    )]
    only: Vec<String>,
}

impl Migrate {
    pub(super) async fn run(self) -> CommandResult {
        let settings = super::settings(&self.sources.layers())?;
        if self.grant {
            return grant(&settings, &self.only).await;
        }
        let assembly = assembly::Assembly::build(&settings, World::default(), Access::Migrate)
            .await
            .map_err(CommandError::failure)?;
        assembly.close().await;
        eprintln!("every database is up to date");
        Ok(())
    }
}

async fn grant(settings: &Settings, only: &[String]) -> CommandResult {
    check(only)?;
    let Some(owner) = &settings.database.url else {
        return Err(CommandError::Usage(
            "--grant needs database.url (CLEAVE__DATABASE__URL): the database, by its owner"
                .to_owned(),
        ));
    };
    for (context, own) in settings.database.contexts() {
        let named = only.iter().any(|name| name == context);
        if !named && !only.is_empty() {
            continue;
        }
        let failed = |error| CommandError::failure(format!("database.url: {context}: {error}"));
        let wanted = match wanted(context, own.url.as_ref(), owner)? {
            Some(wanted) => wanted,
            None if named => return Err(elsewhere(context)),
            None => {
                eprintln!("{context}: left out, database.{context}.url names another database");
                continue;
            }
        };
        let new = !role_exists(&owner.0, &wanted.role).await.map_err(failed)?;
        let made = own.url.is_none() && new;
        let password = if made {
            Some(password())
        } else {
            wanted.password
        };
        let what = Provision { password, ..wanted };
        provision(&owner.0, &what).await.map_err(failed)?;
        migrate(settings, context, owner, &what).await?;
        if let (true, Some(password)) = (made, &what.password) {
            let url = as_user(&owner.0, &what.role, password);
            super::print(&format!(
                "CLEAVE__DATABASE__{}__URL={url}",
                context.to_uppercase()
            ))?;
        }
        let role = if new { "made" } else { "kept" };
        eprintln!(
            "{context}: schema {} of role {} ({role}), up to date",
            what.schema, what.role
        );
    }
    Ok(())
}

/// Refuses names that are no contexts'.
fn check(only: &[String]) -> CommandResult {
    let unknown = only.iter().find(|name| !CONTEXTS.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| {
        let known = CONTEXTS.join(", ");
        let reason = format!("--only: there is no context `{name}`; there are {known}");
        Err(CommandError::Usage(reason))
    })
}

fn elsewhere(context: &str) -> CommandError {
    CommandError::Usage(format!(
        "database.{context}.url: it names another database than database.url; run --grant there with that as database.url"
    ))
}

/// Migrations run as the context's role, so that what they make is its own.
async fn migrate(
    settings: &Settings,
    context: &str,
    owner: &DatabaseUrl,
    what: &Provision,
) -> CommandResult {
    let mark = if owner.0.contains('?') { '&' } else { '?' };
    let url = format!(
        "{}{mark}schema={}&options[role]={}",
        owner.0, what.schema, what.role
    );
    let failed = |error| CommandError::failure(format!("database.url: {context}: {error}"));
    let options = &settings.database.postgres;
    let store = Store::open_postgres(context, &url, options)
        .await
        .map_err(failed)?;
    let migrated = assembly::migrate(context, &store).await;
    store.close().await;
    migrated.map_err(failed)
}

/// What a context is to have: as its own URL says, or by its name; none where that
/// URL names another database.
fn wanted(
    context: &str,
    own: Option<&DatabaseUrl>,
    owner: &DatabaseUrl,
) -> Result<Option<Provision>, CommandError> {
    let by_name = format!("cleave_{context}");
    let Some(DatabaseUrl(url)) = own else {
        return Ok(Some(Provision {
            schema: by_name.clone(),
            role: by_name,
            password: None,
        }));
    };
    let parts = |url: &str| {
        let url = reqwest::Url::parse(url).ok()?;
        let host = url.host_str().unwrap_or_default().to_owned();
        Some((
            (host, url.port().unwrap_or(5432), url.path().to_owned()),
            url,
        ))
    };
    let (own, theirs) = (parts(url), parts(&owner.0));
    let setting = format!("database.{context}.url");
    let usage = |reason: &str| CommandError::Usage(format!("{setting}: {reason}"));
    let (Some((place, url)), Some((there, _))) = (own, theirs) else {
        return Err(usage("it can't be read"));
    };
    if place != there {
        return Ok(None);
    }
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let schema = url.query_pairs().find(|(key, _)| key == "schema");
    Ok(Some(Provision {
        schema: schema.map_or(by_name, |(_, schema)| schema.into_owned()),
        role: decoded(url.username()),
        password: url.password().map(decoded),
    }))
}

/// The same place for another user.
fn as_user(url: &str, user: &str, password: &str) -> String {
    let (scheme, place) = url.split_once("://").unwrap_or(("postgres", url));
    let path = place.find(['/', '?']).unwrap_or(place.len());
    let host = place[..path].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{user}:{password}@{}", &place[host..])
}

/// 160 bits from the system's generator, in hexadecimal digits.
fn password() -> String {
    let bytes: [u8; 20] = rand::rng().random();
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
