//! The HTTP conventions of the public API, as every context uses them: problem
//! details, extractors, authentication, correlation, idempotency, paging and
//! entity tags. A handler extracts, calls a use case, and converts.

mod auth;
mod body;
mod correlation;
mod etag;
mod idempotency;
mod page;
mod params;
mod prefer;
mod problem;
pub mod rules;
pub mod schema;
#[cfg(test)]
mod testing;

pub use auth::{
    AUDIENCE, Admin, Authenticate, Authenticated, Caller, Claims, ISSUER, Identity, MaybeCaller,
    Role, ServiceKeyError, ServiceKeys, ServiceTokens, ServiceVerifier, TokenVerifier, sealing_key,
};
pub use body::{Body, NoBody, empty_digest};
pub use correlation::{Call, correlate};
pub use etag::{IfMatch, Tagged, Version, Weighed, conditional};
pub use idempotency::{Answer, Idempotency, IdempotencyOptions, Once, Scope};
pub use page::{Cursor, Page, Paging};
pub use params::{Params, PathId, PathName};
pub use prefer::prefer_wait;
pub use problem::{Details, FieldError, Problem, method_not_allowed, not_found};
