//! `cleave audit`: every invariant, counted.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cleave_hosting::Seen;
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{CommandError, CommandResult, Sources};
use crate::assembly::{Assembly, World};
use crate::audit::audit;
use crate::client::{Client, Credentials};
use crate::ops::AUDIT;

/// Counts every invariant over the data folder, or over a running server
///
/// Prints what it counted as JSON. Ends with 1 where an invariant is broken.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cleave audit                                  the data folder of a server that is stopped
  cleave audit --url http://127.0.0.1:8080 --email admin@demo.example --password demo-admin-password")]
pub(super) struct Audit {
    #[command(flatten)]
    sources: Sources,
    /// Ask the server that runs there instead
    #[arg(long, value_parser = super::server, requires = "email", requires = "password")]
    url: Option<String>,
    /// An admin's e-mail address, for --url
    #[arg(long)]
    email: Option<String>,
    /// The admin's password, for --url
    #[arg(long, env = "CLEAVE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

impl Audit {
    pub(super) async fn run(self) -> CommandResult {
        let report = match (&self.url, self.email.clone(), self.password.clone()) {
            (Some(url), Some(email), Some(password)) => {
                ask(url, Credentials { email, password }).await?
            }
            _ => self.count().await?,
        };
        super::print(&format_args!("{report:#}"))?;
        let broken = report["checks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|check| check["violations"] != json!([]))
            .count();
        match broken {
            0 => Ok(()),
            1 => Err(CommandError::Failure("1 invariant is broken".to_owned())),
            many => Err(CommandError::Failure(format!(
                "{many} invariants are broken"
            ))),
        }
    }

    async fn count(&self) -> Result<Value, CommandError> {
        let settings = super::settings(&self.sources.layers())?;
        let assembly = Assembly::reopen(&settings, World::default())
            .await
            .map_err(CommandError::failure)?;
        let seen = Arc::new(Seen::default());
        let watch = watch(Some(seen.clone()));
        let auditors = assembly.auditors().map_err(CommandError::failure)?;
        let report = audit(&auditors, &seen).await;
        watch.finish_and_clear();
        assembly.close().await;
        serde_json::to_value(report.map_err(CommandError::failure)?).map_err(CommandError::failure)
    }
}

/// How long a server may take that counts: its own limit (`http.audit_limit`) is
/// the one that matters.
const LONGEST: Duration = Duration::from_hours(24);

/// Shows on a terminal that it goes on, and how far it is where that is known.
fn watch(seen: Option<Arc<Seen>>) -> ProgressBar {
    let template = match &seen {
        Some(_) => "{spinner} {elapsed}, {rows} rows looked at",
        None => "{spinner} {elapsed}, the server counts",
    };
    let bar = ProgressBar::new_spinner();
    let rows = move |_: &ProgressState, text: &mut dyn std::fmt::Write| {
        let rows = seen.as_ref().map_or(0, |seen| seen.rows());
        let _ = write!(text, "{}", HumanCount(rows));
    };
    let style = ProgressStyle::with_template(template);
    bar.set_style(
        style
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .with_key("rows", rows),
    );
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

async fn ask(url: &str, credentials: Credentials) -> Result<Value, CommandError> {
    let client = Arc::new(
        Client::waiting(url, Some(credentials), Duration::ZERO, LONGEST)
            .map_err(CommandError::failure)?,
    );
    client.sign_in().await.map_err(CommandError::failure)?;
    let watch = watch(None);
    let answer = client.post(AUDIT, &json!({}), &HeaderMap::new()).await;
    watch.finish_and_clear();
    Ok(answer.map_err(CommandError::failure)?.body)
}
