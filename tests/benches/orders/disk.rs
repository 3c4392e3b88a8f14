//! What the disk asks for a promise.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

/// The median time of a 4 KiB append with `fdatasync`.
pub(crate) fn sync_cost() -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = File::create(folder.path().join("sync")).expect("a file");
    let page = [7_u8; 4096];
    let mut took: Vec<Duration> = (0..300)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(&page).expect("written");
            file.sync_data().expect("synced");
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[took.len() / 2]
}
