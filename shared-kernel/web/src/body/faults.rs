//! What is wrong with a body that could not be read as its type. Serde stops at
//! the first fault; here that fault is noted, put right as well as can be, and
//! the body is read again, so that one answer names them all. This costs
//! nothing where a body is right, and is bounded where it is not.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_path_to_error::Segment;
use validator::Validate;

use super::rules;
use crate::{FieldError, Problem};

/// Readings of one body, at the most; a large body is read a few times only.
const ROUNDS: usize = 64;
const ROUNDS_OF_A_LARGE_BODY: usize = 4;
const LARGE: usize = 16 * 1024;

/// 400 `malformed_json` with what is wrong.
pub(super) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(http::StatusCode::BAD_REQUEST, "malformed_json", detail)
}

/// The problem with a body that is no `T`.
pub(super) fn of<T: DeserializeOwned + Validate>(bytes: &[u8]) -> Problem {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(document @ Value::Object(_)) => {
            let rounds = if bytes.len() > LARGE {
                ROUNDS_OF_A_LARGE_BODY
            } else {
                ROUNDS
            };
            Problem::validation(Search::new(document).run::<T>(rounds))
        }
        Ok(_) => Problem::invalid_field("body", "invalid_type", "must be an object"),
        Err(error) => malformed(format!(
            "The body is not JSON: see line {}, column {}.",
            error.line(),
            error.column()
        )),
    }
}

/// One fault as serde tells it.
pub(crate) fn explain<E: fmt::Display>(error: &serde_path_to_error::Error<E>) -> FieldError {
    let (path, fault) = Fault::read(error);
    fault.error_at(&path)
}

struct Search {
    document: Value,
    found: Vec<FieldError>,
    /// Where a stand-in was put, and which comes next there.
    stand_ins: Vec<(Path, usize)>,
}

impl Search {
    fn new(document: Value) -> Self {
        Self {
            document,
            found: Vec::new(),
            stand_ins: Vec::new(),
        }
    }

    fn run<T: DeserializeOwned + Validate>(mut self, rounds: usize) -> Vec<FieldError> {
        for _ in 0..rounds {
            match serde_path_to_error::deserialize::<_, T>(&self.document) {
                Ok(value) => {
                    self.note_broken_rules(&value);
                    break;
                }
                Err(error) => {
                    let (path, fault) = Fault::read(&error);
                    if !self.note(&path, &fault) {
                        break;
                    }
                }
            }
        }
        if self.found.is_empty() {
            // The text had what a parsed document can't show: a field given twice.
            self.found.push(FieldError::new(
                "body",
                "duplicate_field",
                "must give each field once",
            ));
        }
        self.found
            .sort_by(|one, other| (&one.field, &one.code).cmp(&(&other.field, &other.code)));
        self.found.dedup();
        self.found
    }

    /// Notes the fault and puts it right; false where that can't be done.
    fn note(&mut self, path: &Path, fault: &Fault) -> bool {
        if !self.is_ours(path) {
            self.found.push(fault.error_at(path));
        }
        match fault {
            Fault::Unknown => path.remove_from(&mut self.document),
            _ => self.stand_in(path, fault),
        }
    }

    /// Whether the fault is within a stand-in of ours, and not the client's.
    fn is_ours(&self, path: &Path) -> bool {
        self.stand_ins.iter().any(|(ours, _)| path.is_within(ours))
    }

    /// Puts the next kind of value there: one of them may be what is asked for.
    /// At the end nothing is put there, which is right where the field is optional.
    fn stand_in(&mut self, path: &Path, fault: &Fault) -> bool {
        let known = self.stand_ins.iter().position(|(ours, _)| ours == path);
        let index = known.unwrap_or_else(|| {
            self.stand_ins.push((path.clone(), 0));
            self.stand_ins.len() - 1
        });
        if let Some(example) = fault.example()
            && path.get_in(&self.document) != Some(&example)
        {
            return path.set_in(&mut self.document, example);
        }
        let next = &mut self.stand_ins[index].1;
        let kinds = [
            json!(null),
            json!(""),
            json!("GBP"),
            json!(0),
            json!(false),
            json!([]),
            json!({}),
        ];
        let kind = kinds.get(*next);
        *next += 1;
        match kind {
            Some(kind) => path.set_in(&mut self.document, kind.clone()),
            None => path.remove_from(&mut self.document),
        }
    }

    /// The rules hold for what the client sent, not for our stand-ins.
    fn note_broken_rules<T: Validate>(&mut self, value: &T) {
        let Err(broken) = value.validate() else {
            return;
        };
        let broken = rules::explain(&broken).into_iter().filter(|error| {
            let ours = |(path, _): &(Path, usize)| {
                let ours = path.to_string();
                error.field == "body"
                    || ours.starts_with(&error.field)
                    || error.field.starts_with(&ours)
            };
            !self.stand_ins.iter().any(ours)
        });
        self.found.extend(broken);
    }
}

/// What serde found, without what the client sent.
enum Fault {
    Unknown,
    Missing,
    Type(&'static str),
    /// A whole number, and too small or too large for its type.
    Range(&'static str),
    Variant(String),
    /// A rule of one of our own types; its sentence.
    Rule(String),
    Other,
}

impl Fault {
    fn read<E: fmt::Display>(error: &serde_path_to_error::Error<E>) -> (Path, Self) {
        let mut path = Path::of(error.path());
        let text = error.inner().to_string();
        // Serde's sentences are fixed: <https://docs.rs/serde/latest/serde/de/trait.Error.html>.
        let fault = if text.starts_with("unknown field `") {
            Self::Unknown
        } else if let Some(rest) = text.strip_prefix("missing field `") {
            let name = rest.split('`').next().unwrap_or_default();
            path.0.push(Step::Key(name.to_owned()));
            Self::Missing
        } else if let Some((_, expected)) = text.rsplit_once(", expected ") {
            if text.starts_with("unknown variant ") {
                Self::Variant(expected.replace('`', ""))
            } else if text.starts_with("invalid value: integer ") {
                Self::Range(kind_of(expected))
            } else {
                Self::Type(kind_of(expected))
            }
        } else if text.starts_with("must ") {
            Self::Rule(text)
        } else {
            Self::Other
        };
        (path, fault)
    }

    /// A value that would pass, where the fault says what that is like: types of
    /// our own are told by their sentences.
    fn example(&self) -> Option<Value> {
        match self {
            Self::Rule(sentence) => {
                let prefix = sentence
                    .strip_prefix("must start with `")?
                    .strip_suffix('`')?;
                Some(format!("{prefix}{:026}", 0).into())
            }
            Self::Variant(names) => {
                let names = names.strip_prefix("one of ").unwrap_or(names);
                names.split([',', ' ']).next().map(Value::from)
            }
            _ => None,
        }
    }

    fn error_at(&self, path: &Path) -> FieldError {
        let (code, message) = match self {
            Self::Unknown => ("unknown_field", "is not a field of this request".into()),
            Self::Missing => ("required", "is required".into()),
            Self::Type(kind) => ("invalid_type", format!("must be {kind}").into()),
            Self::Range(kind) => ("out_of_range", format!("must be {kind}").into()),
            Self::Variant(names) => ("unknown_value", format!("must be {names}").into()),
            Self::Rule(sentence) => ("invalid", sentence.clone().into()),
            Self::Other => ("invalid", std::borrow::Cow::Borrowed("is not valid")),
        };
        FieldError::new(path.to_string(), code, message)
    }
}

/// Serde's word for what it expected, in words for people.
fn kind_of(expected: &str) -> &'static str {
    let is = |word: &str| expected.split_whitespace().any(|other| other == word);
    if is("string") || is("str") {
        "a string"
    } else if is("boolean") || is("bool") {
        "true or false"
    } else if is("f32") || is("f64") {
        "a number"
    } else if ["i8", "i16", "i32", "i64", "i128", "isize"]
        .into_iter()
        .any(is)
    {
        "a whole number within its bounds"
    } else if ["u8", "u16", "u32", "u64", "u128", "usize"]
        .into_iter()
        .any(is)
    {
        "a whole number, not negative and within its bounds"
    } else if is("sequence") {
        "an array"
    } else if is("struct") || is("map") {
        "an object"
    } else {
        "of another type"
    }
}

#[derive(Clone, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A place in a document: `items[0].quantity`.
#[derive(Clone, PartialEq)]
struct Path(Vec<Step>);

impl Path {
    fn of(path: &serde_path_to_error::Path) -> Self {
        let steps = path.iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        Self(steps.collect())
    }

    fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    fn parent<'d>(&self, document: &'d mut Value) -> Option<(&'d mut Value, &Step)> {
        let (last, before) = self.0.split_last()?;
        let parent = before.iter().try_fold(document, |value, step| match step {
            Step::Key(key) => value.get_mut(key),
            Step::Index(index) => value.get_mut(index),
        });
        parent.map(|parent| (parent, last))
    }

    fn get_in<'d>(&self, document: &'d Value) -> Option<&'d Value> {
        self.0.iter().try_fold(document, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }

    fn remove_from(&self, document: &mut Value) -> bool {
        match self.parent(document) {
            Some((Value::Object(members), Step::Key(key))) => members.remove(key).is_some(),
            _ => false,
        }
    }

    fn set_in(&self, document: &mut Value, value: Value) -> bool {
        match self.parent(document) {
            Some((Value::Object(members), Step::Key(key))) => {
                members.insert(key.clone(), value);
                true
            }
            Some((Value::Array(items), Step::Index(index))) => {
                items.get_mut(*index).map(|item| *item = value).is_some()
            }
            _ => false,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("body");
        }
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if place == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
