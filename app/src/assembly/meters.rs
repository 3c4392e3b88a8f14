//! What the stores have done, shown among the metrics: the cost of work is
//! countable while it is done.

use std::sync::Arc;
use std::time::Duration;

use cleave_store::Store;
use cleave_vocabulary::Clock;
use metrics::{counter, gauge};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);

/// Copies the stores' counts to the metrics until `stop`.
pub(super) async fn count(stores: Vec<Store>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    loop {
        stores.iter().for_each(show);
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep(EVERY) => {}
        }
    }
}

fn show(store: &Store) {
    let name = store.name().to_owned();
    let (written, read) = (store.write_stats(), store.read_stats());
    counter!("cleave_store_units_total", "store" => name.clone()).absolute(written.units);
    counter!("cleave_store_commits_total", "store" => name.clone()).absolute(written.commits);
    counter!("cleave_store_statements_total", "store" => name.clone())
        .absolute(written.statements + read.statements);
    counter!("cleave_store_reads_total", "store" => name.clone()).absolute(read.reads);
    #[expect(clippy::cast_precision_loss, reason = "a queue is never that long")]
    gauge!("cleave_store_waiting", "store" => name).set(store.waiting() as f64);
}
