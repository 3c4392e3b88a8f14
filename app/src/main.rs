//! The `cleave` program; everything is in the library, so that suites and
//! benchmarks reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    cleave::cli::run()
}
