//! The name of a dead letter, and where it stands among those of all contexts:
//! newest event first, then by context and handler from the last name to the first.

use std::cmp::Ordering;

use cleave_vocabulary::EventId;

use super::rows::Bound;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) context: String,
    pub(super) handler: String,
    pub(super) event: EventId,
}

impl Name {
    pub(super) fn parse(id: &str) -> Option<Self> {
        let (rest, event) = id.rsplit_once(':')?;
        let (context, handler) = rest.split_once(':')?;
        Some(Self {
            context: context.to_owned(),
            handler: handler.to_owned(),
            event: event.parse().ok()?,
        })
    }

    /// What lies behind it among the letters of `context`.
    pub(super) fn bound_in(&self, context: &str) -> Bound {
        match context.cmp(&self.context) {
            Ordering::Less => Bound::through(self.event),
            Ordering::Equal => Bound::at(self.event, self.handler.clone()),
            Ordering::Greater => Bound::at(self.event, String::new()),
        }
    }
}

pub(super) fn format(context: &str, handler: &str, event: EventId) -> String {
    format!("{context}:{handler}:{event}")
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::{IdSource, SequentialIds};

    use super::*;

    #[test]
    fn an_id_names_context_handler_and_event() {
        let event = EventId::from_uuid(SequentialIds::default().uuid());
        let name = Name::parse(&format("order", "read_model", event)).expect("an id");
        assert_eq!(name.context, "order");
        assert_eq!(name.handler, "read_model");
        assert_eq!(name.event, event);
        for text in ["", "order", "order:read_model", "order:read_model:evt_1"] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
