//! The `cleave` program; everything is in the library, so that suites and
//! benchmarks reach it.

use std::process::ExitCode;

/// Much is allocated by one thread and freed by another here (what goes to a
/// store's writer and comes back); this allocator does that without a lock.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cleave::cli::run()
}
