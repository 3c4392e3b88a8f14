//! Replays recorded orders over HTTP: each under its own idempotency key, so
//! that a replay that was interrupted goes on where it was.

mod countries;
mod orders;
mod place;
mod progress;
mod summary;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, ClientError};

pub use orders::{FileError, Recorded, RecordedLine, RecordedOrder, RefusedRow, read};
pub use place::Placed;
pub use summary::Summary;

/// How to replay.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The file of orders.
    pub file: PathBuf,
    /// Orders under way at once.
    pub concurrency: usize,
    /// Replay the first so many only.
    pub limit: Option<usize>,
    /// How each order is paid.
    pub payment_method: String,
    /// Goes before the order's number in its idempotency key: another prefix
    /// places the same orders again.
    pub key_prefix: String,
}

/// Why a replay could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The server can't be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There was nothing to place.
    #[error("{path} holds no order that can be placed{}", reasons(.refused))]
    Empty {
        /// The file.
        path: String,
        /// Why not.
        refused: Vec<RefusedRow>,
    },
}

/// The first few, for a message.
fn reasons(refused: &[RefusedRow]) -> String {
    const TOLD: usize = 5;
    let mut text = String::new();
    for RefusedRow { line, reason } in refused.iter().take(TOLD) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  line {line}: {reason}");
    }
    if refused.len() > TOLD {
        let _ = write!(text, "\n  and {} rows more", refused.len() - TOLD);
    }
    text
}

/// Places the orders of the file, and waits for each to be paid or cancelled.
/// Stops early, and says so, when `stop` is cancelled: what is under way is finished.
pub async fn run(
    replay: &Replay,
    client: Arc<Client>,
    stop: CancellationToken,
) -> Result<Summary, ReplayError> {
    let mut recorded = read(&replay.file)?;
    recorded.orders.truncate(replay.limit.unwrap_or(usize::MAX));
    client.sign_in().await?;
    let products = place::catalogue(&client).await?;
    let mut summary = Summary::new(std::mem::take(&mut recorded.refused));
    let orders: Vec<_> = recorded
        .orders
        .into_iter()
        .filter_map(|order| place::resolve(order, &products, &mut summary))
        .collect();
    if orders.is_empty() {
        return Err(ReplayError::Empty {
            path: replay.file.display().to_string(),
            refused: summary.refused,
        });
    }
    let mut progress = progress::Progress::new(orders.len() as u64);
    summary.start();
    let total = orders.len();
    let waiting = stop.clone();
    let placed = stream::iter(orders)
        .take_until(async move { waiting.cancelled().await })
        .map(|order| place::place(client.clone(), replay, order))
        .buffer_unordered(replay.concurrency.max(1));
    let mut placed = std::pin::pin!(placed);
    while let Some((number, outcome)) = placed.next().await {
        // A server that is gone for good fails every order alike: say so once.
        if let Err(error @ ClientError::Unreachable { .. }) = outcome {
            progress.finish();
            return Err(error.into());
        }
        summary.count(number, outcome);
        progress.advance(&summary);
    }
    progress.finish();
    summary.end(total);
    Ok(summary)
}
