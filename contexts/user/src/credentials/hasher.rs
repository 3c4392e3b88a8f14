//! Password hashes: argon2id (RFC 9106), computed on threads that may block and
//! only a few at a time, so that a rush of sign-ins slows sign-ins and nothing
//! else. A rush beyond the queue is refused rather than kept in memory.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::HashingSettings;
use crate::domain::Password;

/// Hashes passwords and verifies them.
pub(crate) struct Hasher {
    argon: Argon2<'static>,
    /// A hash that no password has, as costly to verify as a real one.
    decoy: Arc<str>,
    /// Room for those that compute and those that wait.
    room: Arc<Semaphore>,
    /// Turns to compute.
    turns: Arc<Semaphore>,
}

/// Why nothing was hashed or verified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HashError {
    /// Too many wait already.
    #[error("too many passwords are waiting to be hashed")]
    Busy,
    /// The algorithm or the machine failed, or a stored hash makes no sense.
    #[error("hashing a password failed: {0}")]
    Failed(String),
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the password; `outdated` where its hash was made with other
    /// parameters than would be used today.
    Right { outdated: bool },
    /// It is not.
    Wrong,
}

impl Hasher {
    /// With parameters that [`HashingSettings`] has found valid.
    pub(crate) fn new(settings: &HashingSettings) -> Self {
        let (m, t, p) = (
            settings.memory_kib,
            settings.iterations,
            settings.parallelism,
        );
        let params = Params::new(m, t, p, None).expect("validated with the settings");
        Self {
            argon: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            decoy: decoy(m, t, p).into(),
            room: Arc::new(Semaphore::new(settings.concurrency + settings.queue)),
            turns: Arc::new(Semaphore::new(settings.concurrency)),
        }
    }

    /// The hash of a password under a new salt, as a PHC string.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, HashError> {
        let argon = self.argon.clone();
        self.in_turn(move || {
            let hash: PasswordHash = argon.hash_password(password.as_bytes()).map_err(failed)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `stored` is the password's hash. Without one (an account that does
    /// not exist) it takes the same time and is wrong.
    pub(crate) async fn verify(
        &self,
        password: Password,
        stored: Option<&str>,
    ) -> Result<Verdict, HashError> {
        let argon = self.argon.clone();
        let real = stored.is_some();
        let stored: Arc<str> = stored.map_or_else(|| self.decoy.clone(), Arc::from);
        self.in_turn(move || {
            let hash = PasswordHash::new(&stored).map_err(failed)?;
            match argon.verify_password(password.as_bytes(), &hash) {
                Ok(()) if real => {
                    let made_with = Params::try_from(&hash).map_err(failed)?;
                    let outdated = costs(&made_with) != costs(argon.params());
                    Ok(Verdict::Right { outdated })
                }
                Ok(()) | Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }

    /// Runs `work` where blocking is allowed, when its turn has come. The turn
    /// ends with the work and not with whoever waits for it: a client that hangs
    /// up does not let another hash begin beside the one that still runs.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let place = self.room.clone().try_acquire_owned();
        let place = place.map_err(|_| HashError::Busy)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(failed)?;
        let done = spawn_blocking(move || {
            let outcome = work();
            drop((place, turn));
            outcome
        });
        done.await.map_err(failed)?
    }
}

/// What a hash costs: memory, passes, lanes.
fn costs(params: &Params) -> [u32; 3] {
    [params.m_cost(), params.t_cost(), params.p_cost()]
}

fn failed(error: impl std::fmt::Display) -> HashError {
    HashError::Failed(error.to_string())
}

/// Written rather than computed: a random salt and a random output, which is the
/// hash of nothing that anyone could find.
fn decoy(m: u32, t: u32, p: u32) -> String {
    let mut random = [0; 48];
    super::fill(&mut random);
    let (salt, output) = random.split_at(16);
    format!(
        "$argon2id$v=19$m={m},t={t},p={p}${}${}",
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(output)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap() -> HashingSettings {
        HashingSettings {
            memory_kib: 8,
            iterations: 1,
            concurrency: 1,
            queue: 1,
            ..HashingSettings::default()
        }
    }

    fn password(text: &str) -> Password {
        Password::attempt(text.into())
    }

    #[tokio::test]
    async fn a_hash_is_right_for_its_password_alone() {
        let hasher = Hasher::new(&cheap());
        let hash = hasher.hash(password("correct horse")).await.expect("hash");
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        let right = hasher.verify(password("correct horse"), Some(&hash)).await;
        assert_eq!(right.expect("verdict"), Verdict::Right { outdated: false });
        let wrong = hasher
            .verify(password("incorrect horse"), Some(&hash))
            .await;
        assert_eq!(wrong.expect("verdict"), Verdict::Wrong);
    }

    #[tokio::test]
    async fn without_an_account_every_password_is_wrong() {
        let hasher = Hasher::new(&cheap());
        let verdict = hasher.verify(password("anything"), None).await;
        assert_eq!(verdict.expect("verdict"), Verdict::Wrong);
        assert!(hasher.decoy.starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
    }

    #[tokio::test]
    async fn a_hash_of_other_days_is_outdated() {
        let old = Hasher::new(&cheap())
            .hash(password("p"))
            .await
            .expect("hash");
        let costly = HashingSettings {
            iterations: 2,
            ..cheap()
        };
        let verdict = Hasher::new(&costly).verify(password("p"), Some(&old)).await;
        assert_eq!(verdict.expect("verdict"), Verdict::Right { outdated: true });
    }

    #[tokio::test]
    async fn one_more_than_there_is_room_for_is_refused() {
        let hasher = Hasher::new(&cheap());
        let turn = hasher.turns.clone().acquire_owned().await.expect("a turn");
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let mut hash = Box::pin(hasher.hash(password("p")));
            assert!(futures::poll!(&mut hash).is_pending());
            waiting.push(hash);
        }
        assert!(matches!(
            hasher.hash(password("p")).await,
            Err(HashError::Busy)
        ));
        drop(turn);
        for hash in waiting {
            hash.await.expect("hash");
        }
    }
}
