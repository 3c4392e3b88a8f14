//! Logs: lines for people or JSON for machines, on standard error, each within
//! the spans that carry its correlation id.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{LogFormat, LogSettings};

/// Begins to log as the settings say. Where logging has begun already, as in a
/// test, that goes on.
pub fn begin(settings: &LogSettings) -> Result<(), String> {
    let filter: EnvFilter = settings
        .filter
        .parse()
        .map_err(|error| format!("log.filter: {error}"))?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match settings.format {
        LogFormat::Pretty => lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .finish()
            .try_init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .finish()
            .try_init(),
    };
    if begun.is_err() {
        tracing::debug!("logging had begun already");
    }
    Ok(())
}
