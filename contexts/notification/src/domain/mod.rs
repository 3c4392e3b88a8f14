//! Notifications, pure: what they say, and how one that was handed to the
//! transport goes on. Nothing here sends, waits or asks the time.

mod amount;
mod notification;
mod settlement;
mod texts;

pub(crate) use notification::{EMAIL, Kind, Notification, Queued, Status};
pub(crate) use settlement::{Outcome, Patience, Settlement};
pub(crate) use texts::Message;
