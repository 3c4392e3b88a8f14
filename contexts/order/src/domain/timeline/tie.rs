//! What ties the things that happened to an order together: which event has
//! which id, what caused it, and which command a line of the saga's log is
//! about. The keys of commands travel with every call and come back as the
//! cause of every event, so that a story can be told in causal order whatever
//! the clocks of those who tell it.

use cleave_vocabulary::EventId;

/// A command of a saga, without the saga: `reserve_inventory`, or
/// `reserve_inventory:undo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command(String);

impl Command {
    /// A step's action.
    pub(crate) fn action(step: &str) -> Self {
        Self(step.to_owned())
    }

    /// A step's compensation.
    pub(crate) fn undo(step: &str) -> Self {
        Self(format!("{step}:undo"))
    }

    /// The command behind a key: `sga_…:reserve_inventory:undo`. Parts of an
    /// action have keys of their own (`…:take`), and are the same command.
    fn of_key(key: &str) -> Option<Self> {
        let (saga, command) = key.split_once(':')?;
        let mut parts = command.split(':');
        let step = parts.next()?;
        if !saga.starts_with("sga_") || step.is_empty() {
            return None;
        }
        Some(if parts.any(|part| part == "undo") {
            Self::undo(step)
        } else {
            Self::action(step)
        })
    }
}

/// What caused an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A command of the order's saga.
    Command(Command),
    /// Another event.
    Event(EventId),
}

impl Cause {
    /// The cause as an envelope names it, where it is one that can be in the story.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let event = text.parse().ok().map(Self::Event);
        event.or_else(|| Command::of_key(text).map(Self::Command))
    }
}

/// What a thing that happened is tied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tie {
    /// A line of the saga's log, about this command.
    Line(Command),
    /// An event of the order, made in the commit that ended its cause.
    Own { id: EventId, cause: Option<Cause> },
    /// An event of another context.
    Foreign { id: EventId, cause: Option<Cause> },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_ids_are_told_apart() {
        let event = "evt_01h455vb4pex5vsknk084sn02q";
        let id = event.parse().expect("an id");
        assert_eq!(Cause::of(event), Some(Cause::Event(id)));
        let command = |key: &str| match Cause::of(&format!("sga_01h455vb4pex5vsknk084sn02q:{key}"))
        {
            Some(Cause::Command(command)) => Some(command),
            _ => None,
        };
        assert_eq!(
            command("reserve_inventory"),
            Some(Command::action("reserve_inventory"))
        );
        assert_eq!(
            command("reserve_inventory:undo"),
            Some(Command::undo("reserve_inventory"))
        );
        assert_eq!(
            command("arrange_shipping:take"),
            Some(Command::action("arrange_shipping"))
        );
        assert_eq!(command(""), None);
        for text in ["", "POST /orders", "rfd_1:x", "sga_1"] {
            assert_eq!(Cause::of(text), None, "{text}");
        }
    }
}
