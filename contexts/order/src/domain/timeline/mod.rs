//! The story of one order, told from three append-only sources that this
//! context keeps: its own events, its saga's log, and the events of other
//! contexts that it observed. Each source has a rising position, so that a
//! reader's place in the story is three numbers and nothing is stored twice.

mod cursor;
pub(crate) mod detail;
mod item;
mod merge;
mod tie;

pub(crate) use cursor::Cursor;
pub(crate) use item::{Item, Kind, Told};
pub(crate) use merge::{Entry, Sources, as_it_became_known, as_it_happened};
pub(crate) use tie::{Cause, Command, Tie};
