//! Text that stands on one line. The one rule, because what an edge refuses and
//! what a domain refuses are told in the same words.

/// The code and the words for what is not one line; they begin with `must`, as
/// those of every broken rule do.
pub const NOT_ONE_LINE: (&str, &str) =
    ("control_characters", "must not contain control characters");

/// Whether text has no control characters.
pub fn is_one_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
