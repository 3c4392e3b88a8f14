//! `cleave health`: asks a running server how it is, for whoever has no HTTP
//! client at hand: a container's health check, a unit's start, a script that waits.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{CommandError, CommandResult, Sources};
use crate::service::from_here;
use crate::settings::Settings;

/// Asks a running server how it is; ends with 0 where it takes work
///
/// Without --url it asks where the settings say that the server listens.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cleave health
  cleave health --url http://127.0.0.1:8080
  cleave health --patience 60              waits until a server that was just started is ready
  cleave health --live                     whether it answers at all, whatever its databases do")]
pub(super) struct Health {
    #[command(flatten)]
    sources: Sources,
    /// The server [default: http.listen of the settings]
    #[arg(long, value_parser = super::server)]
    url: Option<String>,
    /// Ask only whether it is alive
    #[arg(long)]
    live: bool,
    /// For how many seconds to ask again where the answer is no, or none
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=3600))]
    patience: u64,
}

impl Health {
    pub(super) async fn run(self) -> CommandResult {
        let base = match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => base(Settings::load(&self.sources.layers())?.http.listen)?,
        };
        let question = if self.live { "live" } else { "ready" };
        let url = format!("{base}/health/{question}");
        let asked = async {
            loop {
                match ask(&base, &url).await {
                    Err(_) if self.patience > 0 => tokio::time::sleep(BETWEEN).await,
                    answer => return answer,
                }
            }
        };
        let answer = if self.patience == 0 {
            asked.await
        } else {
            let patience = Duration::from_secs(self.patience);
            // The last word, where time is up.
            match tokio::time::timeout(patience, asked).await {
                Ok(answer) => answer,
                Err(_) => ask(&base, &url).await,
            }
        };
        super::print(&answer.map_err(CommandError::Failure)?)
    }
}

/// How long an answer may take, and the wait before the question is asked again.
const LIMIT: Duration = Duration::from_secs(5);
const BETWEEN: Duration = Duration::from_millis(200);

/// How this machine reaches a server that listens there.
fn base(listen: SocketAddr) -> Result<String, CommandError> {
    if listen.port() == 0 {
        return Err(CommandError::Usage(
            "http.listen has the port 0, which takes a free one; name the server with --url"
                .to_owned(),
        ));
    }
    Ok(format!("http://{}", from_here(listen)))
}

/// What the server says of itself; an error where that is not good.
async fn ask(base: &str, url: &str) -> Result<String, String> {
    let away = |error: reqwest::Error| {
        format!(
            "{base} does not answer ({error}); is the server running there? Name another with --url"
        )
    };
    let client = reqwest::Client::builder().no_proxy().timeout(LIMIT);
    let client = client.build().map_err(away)?;
    let answer = client.get(url).send().await.map_err(away)?;
    let healthy = answer.status().is_success();
    let body: Value = answer.json().await.unwrap_or_default();
    let status = body["status"].as_str().unwrap_or("not understood");
    if healthy {
        return Ok(told(status, &body));
    }
    let contexts = body["contexts"].as_object().into_iter().flatten();
    let failing: Vec<&str> = contexts
        .filter(|(_, context)| context["status"] != "ready")
        .map(|(name, _)| name.as_str())
        .collect();
    Err(match failing[..] {
        [] => format!("{base} is {status}"),
        _ => format!(
            "{base} is {status}: {}; its log says why",
            failing.join(", ")
        ),
    })
}

/// What a server says that takes work.
fn told(status: &str, body: &Value) -> String {
    let degraded = body["degraded"].as_array().into_iter().flatten();
    let degraded: Vec<&str> = degraded.filter_map(Value::as_str).collect();
    if degraded.is_empty() {
        return status.to_owned();
    }
    format!(
        "{status}; the broker is away, and events wait: {}",
        degraded.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_the_broker_is_told_beside_the_status() {
        let body = serde_json::json!({"status": "ready", "degraded": ["order", "payment"]});
        assert_eq!(
            told("ready", &body),
            "ready; the broker is away, and events wait: order, payment"
        );
        assert_eq!(told("live", &serde_json::json!({"status": "live"})), "live");
    }

    #[test]
    fn a_server_on_every_address_is_asked_at_this_machines_own() {
        let asked = |listen: &str| base(listen.parse().expect("an address")).ok();
        assert_eq!(asked("0.0.0.0:80").as_deref(), Some("http://127.0.0.1:80"));
        assert_eq!(asked("[::]:80").as_deref(), Some("http://[::1]:80"));
        assert_eq!(asked("10.0.0.7:80").as_deref(), Some("http://10.0.0.7:80"));
        assert_eq!(asked("127.0.0.1:0"), None);
    }
}
