//! The key that seals recorded answers which hold tokens. It lies beside the
//! databases and not in them, so that a copy of a database opens none; where
//! processes share a database, it is derived from the secret that they share.

use std::io::{ErrorKind, Write};
use std::path::Path;

use cleave_web::sealing_key;
use rand::RngCore;

use super::StartError;
use crate::settings::{BusKind, Settings};

const FILE: &str = "sealing.key";

/// The key for these settings. Replicas of the user context have one database and
/// no folder together, so theirs comes from the deployment's secret.
pub(super) fn of(settings: &Settings) -> Result<[u8; 32], StartError> {
    let shared = settings.bus.kind == BusKind::Nats && settings.database.place("user").is_some();
    match &settings.internal.key {
        Some(secret) if shared => {
            sealing_key(secret).map_err(|error| StartError::of("internal", error))
        }
        _ => load_or_make(&settings.data_dir),
    }
}

/// The key of the data folder; made at the first start.
fn load_or_make(folder: &Path) -> Result<[u8; 32], StartError> {
    let path = folder.join(FILE);
    let failed = |reason: String| StartError::DataDir {
        path: folder.to_owned(),
        reason,
    };
    match std::fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| StartError::Key(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(&path).map_err(|error| failed(format!("{FILE} can't be made: {error}")))
        }
        Err(error) => Err(failed(format!("{FILE} can't be read: {error}"))),
    }
}

/// Written beside its place and moved there, so that a crash leaves a whole key or none.
fn make(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    let draft = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(&key)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    Ok(key)
}
