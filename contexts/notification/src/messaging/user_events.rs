//! Remembers those who register, and welcomes them.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_messaging::{EventHandler, HandleError, Handled};
use cleave_store::Tx;
use cleave_user_contract::events::UserRegistered;
use cleave_vocabulary::{Clock, Envelope};

use crate::application::notify::notify;
use crate::application::remember_recipient::remember_recipient;
use crate::domain::{Kind, Message, Queued};

/// Remembers a recipient for each registration.
pub(super) struct RememberRecipients(pub(super) Arc<dyn Clock>);

#[async_trait]
impl EventHandler for RememberRecipients {
    async fn handle(&self, tx: &Tx, event: &Envelope) -> Result<Handled, HandleError> {
        let user: UserRegistered = event.decode()?;
        remember_recipient(tx, &user).await?;
        let (owner, message) = ((user.user_id, None), Message::welcome(&user));
        let welcome = Queued::about(event, owner, Kind::Welcome, message, self.0.now());
        notify(tx, &[welcome]).await?;
        Ok(Handled::Done)
    }
}
