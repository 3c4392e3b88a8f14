//! Suite: what is Postgres's own. The suites of the kernel and of the contexts
//! run over it as they are (`CLEAVE_TEST_STORE=postgres`).

mod changes;
mod failing;
mod groups;
mod limits;
mod refusals;
mod roles;
mod store;
mod tls;
