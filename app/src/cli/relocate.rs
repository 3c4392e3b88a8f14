//! `cleave move`: a context's data, from where it is to another database.

use std::path::PathBuf;

use clap::Args;
use cleave_store::{Location, MoveOptions, Moved, MovedBefore};
use reqwest::Url;

use super::{CommandError, CommandResult, Sources};
use crate::moving::{self, Progress};
use crate::settings::{DatabaseSettings, Settings};
use crate::topology::CONTEXTS;

/// Moves a context's data between SQLite and Postgres, while nobody uses it
///
/// Copies from where the settings say that the context keeps its data now, a page at
/// a time, and then reads both sides again and compares every table. The source is
/// only read. Interrupted, the same command goes on where it was; until it is done no
/// server opens the copy.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cleave move payment --to postgres://cleave_payment:password@db/shop
  cleave move payment --to 'postgres://cleave_payment:password@db/shop?schema=payment'
  CLEAVE__DATABASE__PAYMENT__URL=postgres://… cleave move payment --to sqlite:data/payment.db

Stop the process that hosts the context first: a file or schema that is in use is
refused. On Postgres the schema and the role that owns it must be there, as `cleave
migrate --grant` makes them; tables are made where there are none. A target that holds
anything else is refused and left as it is.

A URL with a password is better given as CLEAVE_MOVE_TO than on the command line, which
other users of the machine can read.")]
pub(super) struct Relocate {
    #[command(flatten)]
    sources: Sources,
    /// Which context: order, payment, inventory, user, notification or shipping
    #[arg(value_name = "CONTEXT", value_parser = CONTEXTS)]
    context: String,
    /// Where to: sqlite:FILE, or the URL of a Postgres database
    #[arg(
        long,
        value_name = "URL",
        env = "CLEAVE_MOVE_TO",
        hide_env_values = true
    )]
    to: String,
}

impl Relocate {
    pub(super) async fn run(self) -> CommandResult {
        let to = location(&self.to)?;
        let settings = super::settings(&self.sources.layers())?;
        let context = self.context.as_str();
        let from = match settings.database.place(context) {
            Some(place) => Location::Schema(place.url.0),
            None => Location::File(file_of(&settings, context)),
        };
        let options = MoveOptions {
            sqlite: settings.database.sqlite.clone(),
            postgres: settings.database.postgres.clone(),
        };
        let mut progress = Progress::new(context);
        let moved = moving::relocate(context, &from, &to, &options, &mut |at| {
            progress.advance(at);
        })
        .await;
        progress.finish();
        let moved = moved.map_err(CommandError::failure)?;
        super::print(&told(&settings, context, &from, &to, &moved))
    }
}

/// Where `--to` leads.
fn location(to: &str) -> Result<Location, CommandError> {
    if let Some(path) = to.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains('?') {
            return Err(CommandError::Usage(
                "--to: write the file as sqlite:data/payment.db".to_owned(),
            ));
        }
        return Ok(Location::File(PathBuf::from(path)));
    }
    match cleave_store::check_url(to) {
        Ok(()) => Ok(Location::Schema(to.to_owned())),
        Err(error) => Err(CommandError::Usage(format!(
            "--to: {error}, or a file as sqlite:data/payment.db"
        ))),
    }
}

/// Where a context on SQLite keeps its data.
fn file_of(settings: &Settings, context: &str) -> PathBuf {
    settings.data_dir.join(format!("{context}.db"))
}

/// What was done, and what to do next.
fn told(
    settings: &Settings,
    context: &str,
    from: &Location,
    to: &Location,
    moved: &Moved,
) -> String {
    let rows: u64 = moved.tables.iter().map(|(_, rows)| rows).sum();
    let (here, there) = (from.shown(context), to.shown(context));
    let before = match moved.before {
        MovedBefore::Nothing => "",
        MovedBefore::Part => " (part of it by a run before)",
        MovedBefore::Everything => " (all of it by a run before; nothing was left to do)",
    };
    let tables = moved.tables.len();
    let mut lines = vec![
        format!(
            "{context} was copied{before}: {tables} tables, {rows} rows, compared and the same"
        ),
        format!("  from {here}"),
        format!("  to   {there}"),
        String::new(),
    ];
    lines.extend(next(settings, context, to));
    lines.push(format!(
        "To go back before it has started there, leave the setting as it was: {here} is untouched."
    ));
    lines.push(
        "To go back later, what is new must come along. Stop it, and with the new setting:"
            .to_owned(),
    );
    lines.extend(back(context, from));
    lines.extend(beside(settings, context));
    lines.join("\n")
}

/// The setting to change.
fn next(settings: &Settings, context: &str, to: &Location) -> Vec<String> {
    let key = format!("database.{context}.url");
    let variable = format!("CLEAVE__DATABASE__{}__URL", context.to_uppercase());
    let DatabaseSettings { url, .. } = &settings.database;
    match to {
        Location::Schema(_) => vec![
            format!("Now set, where {context} is hosted ({variable}):"),
            format!("  {key} = \"{}\"", written(to)),
        ],
        Location::File(path) => {
            let mut lines = vec![format!(
                "Now remove {key} ({variable}), where {context} is hosted."
            )];
            let expected = file_of(settings, context);
            if std::path::absolute(&expected).ok() != std::path::absolute(path).ok() {
                lines.push(format!(
                    "It looks for its file at {}: move it there, or set data_dir to its folder.",
                    expected.display()
                ));
            }
            if url.is_some() {
                lines.push("database.url puts every context on Postgres: name the others' places in database.<context>.url, and remove it too.".to_owned());
            }
            lines
        }
    }
}

/// How to go back once there is something new: the old data makes room.
fn back(context: &str, from: &Location) -> Vec<String> {
    let room = match from {
        Location::File(path) => {
            let file = path.display();
            format!("  mkdir {file}.before && mv {file} {file}-* {file}.before/")
        }
        Location::Schema(_) => {
            "  drop its old schema, and make it again with `cleave migrate --grant`".to_owned()
        }
    };
    vec![
        room,
        format!("  cleave move {context} --to {}", written(from)),
    ]
}

/// A place as `--to` takes it; a password is left out.
fn written(at: &Location) -> String {
    match at {
        Location::File(path) => format!("sqlite:{}", path.display()),
        Location::Schema(url) => match Url::parse(url) {
            Ok(mut url) => {
                // Both fail for a URL without a host alone, which is none of Postgres'.
                let _ = url
                    .password()
                    .is_some()
                    .then(|| url.set_password(Some("…")));
                url.to_string().replace("%E2%80%A6", "…")
            }
            Err(_) => "postgres://…".to_owned(),
        },
    }
}

/// What belongs to a context and is no database of its own.
fn beside(settings: &Settings, context: &str) -> Option<String> {
    let folder = settings.data_dir.display();
    match context {
        "user" => Some(format!(
            "The key {folder}/sealing.key stays where it is: the process needs this data_dir, or a copy of the key in its own."
        )),
        "payment" if settings.data_dir.join("simulated-gateway.db").exists() => Some(format!(
            "The simulated gateway's books, {folder}/simulated-gateway.db, stay where they are: the process needs this data_dir, or that file in its own."
        )),
        "payment" => Some(format!(
            "There is no simulated-gateway.db in {folder}: where these payments have one, in another data_dir, the process needs it in its own; otherwise the simulated gateway's books were copied with them."
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_or_a_url_and_nothing_else() {
        for (text, path) in [
            ("sqlite:a.db", "a.db"),
            ("sqlite:///data/a.db", "/data/a.db"),
            ("sqlite:/data/a.db", "/data/a.db"),
        ] {
            let found = location(text).ok();
            assert!(found == Some(Location::File(path.into())), "{text}");
        }
        assert!(location("postgres://u@h/d?schema=s").is_ok());
        for text in ["", "sqlite:", "a.db", "mysql://h/d", "postgres://h/d?ssl=1"] {
            assert!(location(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let at = Location::Schema("postgres://me:secret@h:5433/d?schema=s".to_owned());
        assert_eq!(written(&at), "postgres://me:…@h:5433/d?schema=s");
    }
}
