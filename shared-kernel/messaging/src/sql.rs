//! Envelopes as text, beside what the store has for statements that run for
//! every event.

pub(crate) use cleave_store::sql::{execute, in_list, query, query_one, signed, values_list};
use cleave_vocabulary::Envelope;
use sea_orm::DbErr;

/// Events that one look-up asks for at the most; far below every database's
/// limit of parameters.
pub(crate) const ROWS: usize = 256;

/// The envelope as it is kept.
pub(crate) fn to_text(event: &Envelope) -> Result<String, DbErr> {
    let bad = |error: &dyn std::fmt::Display| DbErr::Json(error.to_string());
    let mut text = Vec::with_capacity(ATTRIBUTES + event.data.get().len());
    serde_json::to_writer(&mut text, event).map_err(|error| bad(&error))?;
    String::from_utf8(text).map_err(|error| bad(&error))
}

/// What an envelope takes in bytes beside its data, or a little more.
const ATTRIBUTES: usize = 512;

/// The envelope that was kept.
pub(crate) fn from_text(text: &str) -> Result<Envelope, DbErr> {
    serde_json::from_str(text).map_err(|error| DbErr::Json(error.to_string()))
}
