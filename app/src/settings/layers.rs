//! Layers of settings: built-in defaults, files, environment, flags; each wins
//! over those before it. A key that nobody knows, or a value that does not fit,
//! stops the start with the key's name, where it came from and what is allowed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, Environment, File, FileFormat, Value, ValueKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// Why the settings can't be used; each message says which one and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file can't be read, or is not TOML.
    #[error("settings file {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No setting bears this name.
    #[error("unknown setting `{key}` ({origin}); {hint}")]
    Unknown {
        /// The key.
        key: String,
        /// Where it came from.
        origin: String,
        /// What is allowed there.
        hint: String,
    },
    /// The value does not fit.
    #[error("bad value for setting `{key}` ({origin}): {reason}")]
    Bad {
        /// The key.
        key: String,
        /// Where it came from.
        origin: String,
        /// What is allowed.
        reason: String,
    },
    /// Settings that are each right and together wrong.
    #[error("{0}")]
    Contradiction(String),
}

/// What lies above the built-in defaults.
#[derive(Debug, Default, Clone)]
pub struct Layers {
    /// TOML files, in order.
    pub files: Vec<PathBuf>,
    /// The process's environment: names and values.
    pub environment: Vec<(String, String)>,
    /// Flags: dotted key, flag's name, value.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

const PREFIX: &str = "CLEAVE";
const SEPARATOR: &str = "__";

impl Layers {
    /// Everything that this process's environment says.
    pub fn of_process() -> Self {
        // A variable that is not Unicode is none of ours: our names and values are.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            environment,
            ..Self::default()
        }
    }

    /// The settings under all layers.
    pub fn load<S: Serialize + DeserializeOwned + Default>(&self) -> Result<S, SettingsError> {
        let known = serde_json::to_value(S::default())
            .map_err(|error| SettingsError::Contradiction(error.to_string()))?;
        let merged = self.merge()?;
        unknown(&merged.cache, &known, &mut Vec::new(), self)?;
        let whole = over_defaults::<S>(&merged);
        let whole = whole.map_err(|error| SettingsError::Contradiction(error.to_string()))?;
        serde_path_to_error::deserialize(whole).map_err(|error| {
            let key = error.path().to_string();
            let origin = at(&merged.cache, &key)
                .map_or_else(|| "built in".to_owned(), |value| self.origin(&key, value));
            let reason = variants::<S>(&known, &key, at(&merged.cache, &key))
                .unwrap_or_else(|| reason(error.inner()));
            SettingsError::Bad {
                key,
                origin,
                reason,
            }
        })
    }

    /// Settings that do not go together, with the origin of each that is named.
    pub(crate) fn contradiction(&self, reason: String) -> SettingsError {
        let Ok(merged) = self.merge() else {
            return SettingsError::Contradiction(reason);
        };
        let mut origins: Vec<String> = Vec::new();
        for word in reason.split(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '_' | '.')) {
            let key = word.trim_end_matches('.');
            let Some(value) = at(&merged.cache, key).filter(|value| is_leaf(value)) else {
                continue;
            };
            let origin = format!("{key} is {}", self.origin(key, value));
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        SettingsError::Contradiction(if origins.is_empty() {
            reason
        } else {
            format!("{reason} ({})", origins.join(", "))
        })
    }

    fn merge(&self) -> Result<Config, SettingsError> {
        let mut builder = Config::builder();
        for path in &self.files {
            builder = file(builder, path)?;
        }
        let variables = self.environment.iter().cloned().collect();
        builder = builder.add_source(
            Environment::with_prefix(PREFIX)
                .prefix_separator(SEPARATOR)
                .separator(SEPARATOR)
                .source(Some(variables)),
        );
        for (key, flag, value) in &self.flags {
            let value = Value::new(Some(&format!("{FLAG}{flag}")), value.clone());
            builder = builder
                .set_override(key, value)
                .map_err(|error| SettingsError::Contradiction(error.to_string()))?;
        }
        builder
            .build()
            .map_err(|error| SettingsError::Contradiction(error.to_string()))
    }

    /// Where a value came from, as its author would say it.
    fn origin(&self, key: &str, value: &Value) -> String {
        let variable = format!(
            "{PREFIX}{SEPARATOR}{}",
            key.replace('.', SEPARATOR).to_uppercase()
        );
        match value.origin() {
            Some(flag) if flag.starts_with(FLAG) => {
                format!("from the flag {}", &flag[FLAG.len()..])
            }
            Some("the environment") => format!("from the environment variable {variable}"),
            Some(file) => format!("from {}", self.named(file)),
            None if self.flags.iter().any(|(flagged, ..)| *flagged == key) => {
                "from a flag".to_owned()
            }
            None => "from the settings".to_owned(),
        }
    }

    /// A file as its author named it; what reads it tells another path to the same.
    fn named(&self, file: &str) -> String {
        let same =
            |path: &&PathBuf| path.canonicalize().ok() == Path::new(file).canonicalize().ok();
        self.files
            .iter()
            .find(same)
            .map_or_else(|| file.to_owned(), |path| path.display().to_string())
    }
}

const FLAG: &str = "flag:";

fn file(
    builder: ConfigBuilder<DefaultState>,
    path: &Path,
) -> Result<ConfigBuilder<DefaultState>, SettingsError> {
    let failed = |reason: String| SettingsError::File {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    toml::from_str::<toml::Table>(&text)
        .map_err(|error| failed(error.to_string().trim().to_owned()))?;
    Ok(builder.add_source(File::from(path).format(FileFormat::Toml)))
}

/// The first key that the defaults do not have.
fn unknown(
    value: &Value,
    known: &Json,
    path: &mut Vec<String>,
    layers: &Layers,
) -> Result<(), SettingsError> {
    let (ValueKind::Table(table), Json::Object(fields)) = (&value.kind, known) else {
        return Ok(());
    };
    let mut keys: Vec<_> = table.iter().collect();
    keys.sort_by_key(|(key, _)| key.as_str());
    for (key, value) in keys {
        path.push(key.clone());
        let Some(known) = fields.get(key) else {
            let dotted = path.join(".");
            let origin = layers.origin(&dotted, first_leaf(value));
            return Err(SettingsError::Unknown {
                origin,
                hint: hint(path, fields),
                key: dotted,
            });
        };
        unknown(value, known, path, layers)?;
        path.pop();
    }
    Ok(())
}

fn is_leaf(value: &Value) -> bool {
    !matches!(value.kind, ValueKind::Table(_))
}

/// Tables carry no origin of their own; what is in them does.
fn first_leaf(value: &Value) -> &Value {
    match &value.kind {
        ValueKind::Table(table) => table.values().next().map_or(value, first_leaf),
        _ => value,
    }
}

fn hint(path: &[String], fields: &serde_json::Map<String, Json>) -> String {
    let (key, above) = path
        .split_last()
        .map_or(("", &[][..]), |(key, above)| (key.as_str(), above));
    let mut text = match fields.keys().find(|field| alike(field, key)) {
        Some(field) => format!("did you mean `{field}`? "),
        None => String::new(),
    };
    let within = if above.is_empty() {
        "at the top".to_owned()
    } else {
        format!("in `{}`", above.join("."))
    };
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    let _ = write!(text, "{within} there are: {}", names.join(", "));
    text
}

/// One slip of the finger apart: a letter more, less, other, or two swapped.
fn alike(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let head = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let tail = one[head..]
        .iter()
        .rev()
        .zip(other[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (left, right) = (one.len() - head - tail, other.len() - head - tail);
    left.max(right) <= 1
        || (left == 2 && right == 2 && one[head] == other[head + 1] && one[head + 1] == other[head])
}

fn at<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.')
        .try_fold(value, |value, part| match &value.kind {
            ValueKind::Table(table) => table.get(part),
            _ => None,
        })
}

/// For a value that is none of an enumeration: which there are. The library that
/// merges the layers does not tell; serde's own JSON does.
fn variants<S: DeserializeOwned>(known: &Json, key: &str, value: Option<&Value>) -> Option<String> {
    let ValueKind::String(text) = &value?.kind else {
        return None;
    };
    let mut probe = known.clone();
    *probe.pointer_mut(&format!("/{}", key.replace('.', "/")))? = Json::from(text.as_str());
    let said = serde_json::from_value::<S>(probe).err()?.to_string();
    said.starts_with("unknown variant").then_some(said)
}

/// What is set, over everything's default. A type of settings may stand in several places
/// with defaults of each: what is set of one leaves the rest as it is there.
fn over_defaults<S: Serialize + Default>(set: &Config) -> Result<Config, config::ConfigError> {
    let defaults = Config::try_from(&S::default())?;
    let whole = Config::builder().add_source(defaults);
    whole.add_source(set.clone()).build()
}

/// What serde said, without the place, which stands before it already.
fn reason(error: &config::ConfigError) -> String {
    match error {
        config::ConfigError::At { error, .. } => reason(error),
        config::ConfigError::Type {
            unexpected,
            expected,
            ..
        } => format!("found {unexpected}, expected {expected}"),
        config::ConfigError::Message(text) => plain(text),
        other => other.to_string(),
    }
}

/// What serde expects, in the words of somebody who writes settings.
fn plain(text: &str) -> String {
    if text == "invalid socket address syntax" {
        return "expected an address and a port, as in 127.0.0.1:8080 or [::1]:8080".to_owned();
    }
    match text.split_once(", expected struct ") {
        Some((found, _)) => format!("{found}, expected a table of settings"),
        None => text.replace("expected a nonzero u32", "expected 1 or more"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct House {
        rooms: u32,
        name: Option<String>,
        door: Door,
    }

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Door {
        locked: bool,
        #[serde(with = "cleave_vocabulary::duration")]
        closes_after: Duration,
    }

    impl Default for House {
        fn default() -> Self {
            Self {
                rooms: 3,
                name: None,
                door: Door::default(),
            }
        }
    }

    impl Default for Door {
        fn default() -> Self {
            Self {
                locked: true,
                closes_after: Duration::from_secs(2),
            }
        }
    }

    fn environment(variables: &[(&str, &str)]) -> Layers {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Layers {
            environment,
            ..Layers::default()
        }
    }

    #[test]
    fn with_no_layer_the_defaults_hold() {
        assert_eq!(
            Layers::default().load::<House>().expect("loads"),
            House::default()
        );
    }

    #[test]
    fn each_layer_wins_over_those_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("house.toml");
        std::fs::write(
            &path,
            "rooms = 4\n[door]\nlocked = false\ncloses_after = \"15m\"\n",
        )
        .expect("written");
        let mut layers = environment(&[
            ("CLEAVE__ROOMS", "5"),
            ("CLEAVE__NAME", "0012"),
            ("HOME", "/x"),
        ]);
        layers.files.push(path);
        layers.flags.push(("rooms", "--rooms", "6".to_owned()));
        let house: House = layers.load().expect("loads");
        let door = Door {
            locked: false,
            closes_after: Duration::from_secs(900),
        };
        assert_eq!(
            house,
            House {
                rooms: 6,
                name: Some("0012".to_owned()),
                door
            }
        );
    }

    #[test]
    fn what_does_not_go_together_is_named_with_its_origins() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("house.toml");
        std::fs::write(&path, "rooms = 4\n").expect("written");
        let mut layers = environment(&[("CLEAVE__DOOR__LOCKED", "true")]);
        layers.files.push(path.clone());
        layers.flags.push(("name", "--name", "Ada".to_owned()));
        let said = |reason: &str| layers.contradiction(reason.to_owned()).to_string();
        assert_eq!(said("the house is full"), "the house is full");
        assert_eq!(said("door: too narrow"), "door: too narrow");
        assert_eq!(
            said("door.locked: leave door.locked unset"),
            "door.locked: leave door.locked unset \
             (door.locked is from the environment variable CLEAVE__DOOR__LOCKED)"
        );
        assert_eq!(
            said("rooms must not be more than name."),
            format!(
                "rooms must not be more than name. \
                 (rooms is from {}, name is from the flag --name)",
                path.display()
            )
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_origin() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("house.toml");
        let message = |text: &str, variables: &[(&str, &str)]| {
            std::fs::write(&path, text).expect("written");
            let layers = Layers {
                files: vec![path.clone()],
                ..environment(variables)
            };
            let error = layers.load::<House>().expect_err("refused").to_string();
            error.replace(&path.display().to_string(), "house.toml")
        };
        let said = [
            message("room = 4", &[]),
            message("[door]\nlock = true", &[]),
            message("[windows]\nopen = true", &[]),
            message("", &[("CLEAVE__DOOR__LOKCED", "true")]),
            message("rooms = \"many\"", &[]),
            message("rooms = -1", &[]),
            message("[door]\ncloses_after = \"2 seconds\"", &[]),
            message("", &[("CLEAVE__DOOR__LOCKED", "perhaps")]),
            message("rooms = = 4", &[]),
        ];
        insta::assert_snapshot!(said.join("\n"));
    }
}
