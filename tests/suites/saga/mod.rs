//! Sagas under every fault that they promise to survive: each step refused,
//! failing, unanswered and answered late; each compensation failing; cancelled
//! at each moment; killed before and after each commit.

mod bench;
mod cancel;
mod compensation;
mod crash;
mod errand;
mod happy;
mod leases;
mod matrix;
mod provider;
mod replicas;
mod timers;
mod unanswered;
mod versions;
mod views;
