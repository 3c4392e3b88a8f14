//! What an order allocates: the whole program inside this one, whose allocator
//! counts. What SQLite allocates for itself does not pass it and is not counted.

use std::alloc::System;
use std::io::BufRead;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Set for a process that is to be the program, and no benchmark.
pub(crate) const AS_PROGRAM: &str = "CLEAVE_BENCH_AS_PROGRAM";

/// Runs the program; answers each line of standard input with what was allocated so far.
pub(crate) fn serve() -> ExitCode {
    std::thread::spawn(|| {
        for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
            let so_far = ALLOCATOR.stats();
            let often = so_far.allocations + so_far.reallocations;
            println!("{often} {}", so_far.bytes_allocated);
        }
    });
    cleave::cli::run()
}
