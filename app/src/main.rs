//! The `cleave` program.
fn main() {}
