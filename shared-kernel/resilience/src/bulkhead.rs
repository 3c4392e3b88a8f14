//! The bulkhead bounds how many calls are under way, and how many wait.
/// A bound on concurrency with a bounded queue.
pub struct Bulkhead {}
