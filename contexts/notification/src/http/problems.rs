//! How this context's refusals look over HTTP.

use cleave_web::Problem;

use crate::application::mark_read::NoSuchMessage;

impl From<NoSuchMessage> for Problem {
    fn from(_: NoSuchMessage) -> Self {
        Problem::not_found()
    }
}
