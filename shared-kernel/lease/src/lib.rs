//! One holder at a time for work that several processes could do. Who holds a
//! lease is a row of the context's own database; each new term has a higher
//! token, and every write of the leased work asks for it in its own transaction,
//! so a holder that was away for too long writes nothing any more, however late
//! it wakes up. What it does outside of the database no token can hold back.
//!
//! A store that no other process can reach needs none of this, and pays nothing.

mod lease;
pub mod rows;

pub use lease::{Lease, Term};
