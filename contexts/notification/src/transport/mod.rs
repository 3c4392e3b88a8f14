//! The mail transport: the port through which messages leave the house, its
//! guard, and the simulated adapter.
//!
//! What a transport promises: it takes a batch over and says of each message
//! what became of it. A message that comes again under its key is not sent
//! again, as far as the carrier behind it can tell (SMTP cannot, and gets the
//! key as the message's id, by which mailboxes know a repeat).

mod guarded;
mod simulated;

use async_trait::async_trait;
use cleave_vocabulary::{CallContext, NotificationId, PortError};

pub(crate) use guarded::GuardedTransport;
pub use simulated::{MailOutbox, SentMail};

/// One mail to be sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The idempotency key: the same for each attempt at the same message.
    pub key: NotificationId,
    /// 1 at the first attempt.
    pub attempt: u32,
    /// The address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// What became of one mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Taken over for good (or taken over before).
    Accepted,
    /// It can't be delivered, ever: no such mailbox. The reason holds no address.
    Refused(String),
    /// It can't be taken now: the mailbox is busy. The reason holds no address.
    Deferred(String),
}

/// Takes mails over.
#[async_trait]
pub trait MailTransport: Send + Sync + 'static {
    /// Takes mails over: one answer for each, in their order. Fails as a whole
    /// only where nothing is known of any of them; what it has taken over all
    /// the same comes again under the same keys.
    async fn deliver(&self, call: &CallContext, mails: &[Mail])
    -> Result<Vec<Delivery>, PortError>;
}
