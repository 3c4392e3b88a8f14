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
mod problem;

pub use auth::{Authenticate, Caller, Claims, MaybeCaller, Role, TokenVerifier};
pub use body::Body;
pub use correlation::{Call, correlate};
pub use etag::{IfMatch, Tagged, Version};
pub use idempotency::{Answer, Idempotency, IdempotencyOptions, Once, Scope};
pub use page::{Cursor, Page, Paging};
pub use params::{Params, PathId};
pub use problem::{FieldError, Problem};
