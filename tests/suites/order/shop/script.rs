//! What a call meets: the script's next word on it, or the effect that its
//! provider would have.

use std::collections::VecDeque;
use std::sync::Arc;

use cleave_vocabulary::{Failure, FailureKind, KeyedOutcome, PortError, Refusal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{Books, Shop};

/// What happens to the next call of an operation.
pub(in crate::order) enum Then {
    /// The rule says no; remembered under the key.
    Refuse(&'static str, &'static str),
    /// There is no answer, and it is certain that nothing was done.
    Fail,
    /// There is no answer, though it was done.
    LoseAnswer,
    /// There is no answer, and nothing was done, which nobody knows.
    LoseCommand,
    /// It waits at the gate, and is then done.
    Wait(Gate),
    /// It reaches the gate, undone, and nothing more is heard of it.
    Hang(Gate),
    /// It is done, and then nothing more is heard of it.
    DoAndHang(Gate),
}

/// Where a call waits until a test lets it pass.
#[derive(Clone)]
pub(in crate::order) struct Gate(Arc<[Semaphore; 2]>);

impl Gate {
    pub(in crate::order) fn new() -> Self {
        Self(Arc::new([Semaphore::new(0), Semaphore::new(0)]))
    }

    /// Returns once a call is waiting.
    pub(in crate::order) async fn reached(&self) {
        self.0[0].acquire().await.expect("open").forget();
    }

    pub(in crate::order) fn open(&self) {
        self.0[1].add_permits(1);
    }

    /// Never returns.
    async fn hang(&self) {
        self.0[0].add_permits(1);
        std::future::pending().await
    }

    async fn pass(&self) {
        self.0[0].add_permits(1);
        self.0[1].acquire().await.expect("open").forget();
    }
}

impl Shop {
    /// A command, as a provider handles it: by its key, once.
    pub(super) async fn command<T: Serialize + DeserializeOwned>(
        &self,
        operation: &'static str,
        key: &str,
        effect: impl FnOnce(&mut Books) -> Result<T, Refusal>,
    ) -> Result<T, PortError> {
        let then = {
            let mut books = self.books.lock();
            books.calls.push(operation);
            books
                .script
                .get_mut(operation)
                .and_then(VecDeque::pop_front)
        };
        match &then {
            Some(Then::Wait(gate)) => gate.pass().await,
            Some(Then::Hang(gate)) => gate.hang().await,
            _ => {}
        }
        let hangs = match &then {
            Some(Then::DoAndHang(gate)) => Some(gate.clone()),
            _ => None,
        };
        let answer = {
            let mut books = self.books.lock();
            let mut once = |effect: &mut dyn FnMut(&mut Books) -> Result<Value, Refusal>| {
                if let Some(known) = books.outcomes.get(key) {
                    return known.clone();
                }
                let outcome = effect(&mut books);
                books.outcomes.insert(key.to_owned(), outcome.clone());
                outcome
            };
            let mut effect = Some(effect);
            let mut act = |books: &mut Books| {
                let effect = effect.take().expect("called once");
                effect(books).map(|reply| serde_json::to_value(reply).expect("JSON"))
            };
            match then {
                None | Some(Then::Wait(_) | Then::Hang(_) | Then::DoAndHang(_)) => {
                    once(&mut act).map_err(PortError::from)
                }
                Some(Then::Refuse(code, message)) => {
                    let refused = Refusal::new(code, message);
                    once(&mut |_| Err(refused.clone())).map_err(PortError::from)
                }
                Some(Then::Fail) => {
                    Err(Failure::clean(FailureKind::Unavailable, "scripted").into())
                }
                Some(Then::LoseAnswer) => {
                    let _ = once(&mut act);
                    Err(Failure::unknown(FailureKind::Timeout, "scripted").into())
                }
                Some(Then::LoseCommand) => {
                    Err(Failure::unknown(FailureKind::Timeout, "scripted").into())
                }
            }
        };
        self.publish().await;
        if let Some(gate) = hangs {
            gate.hang().await;
        }
        answer.map(|reply| serde_json::from_value(reply).expect("JSON"))
    }

    /// What became of a command.
    pub(super) fn outcome<T: DeserializeOwned>(&self, key: &str) -> KeyedOutcome<T> {
        match self.books.lock().outcomes.get(key) {
            None => KeyedOutcome::Never,
            Some(Ok(reply)) => {
                KeyedOutcome::Done(serde_json::from_value(reply.clone()).expect("JSON"))
            }
            Some(Err(refusal)) => KeyedOutcome::Refused(refusal.clone()),
        }
    }

    /// Something that is asked: answered, unless the script has it fail.
    pub(super) fn question(&self, operation: &'static str) -> Result<(), PortError> {
        let mut books = self.books.lock();
        match books
            .script
            .get_mut(operation)
            .and_then(VecDeque::pop_front)
        {
            Some(_) => Err(Failure::clean(FailureKind::Unavailable, "scripted").into()),
            None => Ok(()),
        }
    }
}
