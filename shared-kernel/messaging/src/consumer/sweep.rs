//! The inbox forgets what is older than its retention, a little at a time, so
//! that no sweep holds up the units of orders.

use std::sync::Arc;
use std::time::Duration;

use cleave_store::{Store, Tx, Unit};
use cleave_vocabulary::Clock;
use tokio_util::sync::CancellationToken;

use crate::inbox;

const EVERY: Duration = Duration::from_mins(10);
const BREATHER: Duration = Duration::from_millis(50);
const ROWS: u64 = 500;

/// Sweeps until `stop`.
pub(super) async fn run(
    store: Store,
    clock: Arc<dyn Clock>,
    retention: Duration,
    stop: CancellationToken,
) {
    let sweep = async {
        loop {
            let before = clock.now().minus(retention);
            let forget =
                async move |tx: &Tx| -> Unit<u64> { Ok(inbox::forget(tx, before, ROWS).await?) };
            let more = match store.write(forget).await {
                Ok(forgotten) => forgotten == ROWS,
                Err(error) => {
                    tracing::warn!(context = store.name(), %error, "the inbox was not swept");
                    false
                }
            };
            clock.sleep(if more { BREATHER } else { EVERY }).await;
        }
    };
    stop.run_until_cancelled(sweep).await;
}
