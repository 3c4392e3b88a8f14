//! How a person or a platform asks the process to stop: SIGTERM, or Ctrl-C.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled when the process is asked to stop. Heard from this call on, so that
/// nobody who asks while it starts ends it in the middle of something; asked
/// again, it ends at once.
pub(super) fn stop_requested() -> CancellationToken {
    let stop = CancellationToken::new();
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::error!("signals can't be heard; they end this process as they always do");
        return stop;
    };
    let asked = stop.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "ends the process, and with it itself"
    )]
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        asked.cancel();
        next().await;
        eprintln!("cleave: asked twice, stopped at once; what was in flight is in its log");
        std::process::exit(130);
    });
    stop
}
