//! The other side of a saga's steps, played by a script: it remembers keys and
//! tombstones as a real provider must, and can fail, fall silent, answer late,
//! or kill the engine at any point of its choice.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use cleave_saga::{Action, Resolution, Undo};
use cleave_vocabulary::Refusal;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::watch;

/// What becomes of an attempt that is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lands {
    /// It has happened by the time anyone asks.
    Done,
    /// It was refused.
    Refused,
    /// It never arrived.
    Never,
    /// It arrives just after someone has asked, and was told that it had not.
    OnceAskedFor,
    /// It arrives after everything else is over.
    AtTheEnd,
}

/// What an attempt comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Done,
    Refuse,
    Fail,
    Panic,
    /// No answer until the time limit has passed.
    Silent(Lands),
    /// Answers that it does not know.
    Unknown(Lands),
    /// Waits for [`Provider::open`], then does it.
    Gate,
    /// Does it, then waits for [`Provider::open`] before it says so.
    DoneThenGate,
}

#[derive(Default)]
struct Inner {
    /// The outcome of each key: done or refused.
    outcomes: HashMap<String, bool>,
    /// Keys that must not act any more.
    tombstones: HashMap<String, ()>,
    /// How often an effect was made and taken back, by key.
    effects: BTreeMap<String, (u32, u32)>,
    late: Vec<(Lands, String)>,
    acts: HashMap<&'static str, VecDeque<Act>>,
    /// What each further attempt comes to.
    always: HashMap<&'static str, Act>,
    undo_failures: HashMap<&'static str, u32>,
    unanswered_questions: HashMap<&'static str, u32>,
    unwritten_hooks: HashMap<&'static str, u32>,
    /// Whether a question waits for [`Provider::answer`].
    questions_wait: bool,
    calls: Vec<String>,
    /// Points to pass before the engine is killed.
    fuse: Option<u32>,
}

#[derive(Clone, Default)]
pub(super) struct Provider {
    inner: Arc<Mutex<Inner>>,
    /// Attempts that hang, waiting for their time limit or for the gate.
    hanging: Arc<watch::Sender<u32>>,
    gate: Arc<watch::Sender<u32>>,
    answers: Arc<watch::Sender<u32>>,
    /// Questions that hang.
    asking: Arc<watch::Sender<u32>>,
    killed: Arc<watch::Sender<bool>>,
}

impl Provider {
    /// Forgets everything, as for the next case.
    pub(super) fn reset(&self) {
        *self.inner.lock() = Inner::default();
        self.killed.send_replace(false);
    }

    /// The next attempts at `step`.
    pub(super) fn script(&self, step: &'static str, acts: impl IntoIterator<Item = Act>) {
        self.inner.lock().acts.entry(step).or_default().extend(acts);
    }

    /// Every attempt at `step` behind those in the script.
    pub(super) fn always(&self, step: &'static str, act: Act) {
        self.inner.lock().always.insert(step, act);
    }

    /// The next so many undos of `step` fail.
    pub(super) fn fail_undo(&self, step: &'static str, times: u32) {
        self.inner.lock().undo_failures.insert(step, times);
    }

    /// The next so many questions about `step` get no answer.
    pub(super) fn stay_silent_about(&self, step: &'static str, times: u32) {
        self.inner.lock().unanswered_questions.insert(step, times);
    }

    /// The next so many hooks of `step` can't be written.
    pub(super) fn fail_hooks(&self, step: &'static str, times: u32) {
        self.inner.lock().unwritten_hooks.insert(step, times);
    }

    /// Whether a hook of `step` can be written.
    pub(super) fn writes(&self, step: &'static str) -> bool {
        !self.spend(step, |inner| &mut inner.unwritten_hooks)
    }

    /// Kills the engine once so many points have been passed.
    pub(super) fn kill_after(&self, points: u32) {
        self.inner.lock().fuse = Some(points);
    }

    /// Whether the engine is to be dead.
    pub(super) fn is_killed(&self) -> bool {
        *self.killed.borrow()
    }

    /// A new engine may live.
    pub(super) fn revive(&self) {
        self.inner.lock().fuse = None;
        self.killed.send_replace(false);
    }

    /// Opens the gate for whoever waits before it.
    pub(super) fn open(&self) {
        self.gate.send_modify(|opened| *opened += 1);
    }

    /// Questions wait for [`Provider::answer`] from now on.
    pub(super) fn let_questions_wait(&self) {
        self.inner.lock().questions_wait = true;
    }

    /// Answers the questions that wait, and those to come.
    pub(super) fn answer(&self) {
        self.inner.lock().questions_wait = false;
        self.answers.send_modify(|answered| *answered += 1);
    }

    /// Returns once so many questions hang.
    pub(super) async fn until_asked(&self, count: u32) {
        let mut asking = self.asking.subscribe();
        let reached = asking.wait_for(|asking| *asking == count).await;
        reached.expect("the provider lives");
    }

    /// How many attempts hang.
    pub(super) fn hanging(&self) -> u32 {
        *self.hanging.borrow()
    }

    /// Returns once so many attempts hang.
    pub(super) async fn until_hanging(&self, count: u32) {
        let mut hanging = self.hanging.subscribe();
        let reached = hanging.wait_for(|hanging| *hanging == count).await;
        reached.expect("the provider lives");
    }

    /// What was asked of it: `act a`, `resolve a`, `undo a`.
    pub(super) fn calls(&self) -> Vec<String> {
        self.inner.lock().calls.clone()
    }

    /// Everything still under way arrives.
    pub(super) fn land_the_rest(&self) {
        let late = std::mem::take(&mut self.inner.lock().late);
        for (_, key) in late {
            self.effect(&key);
        }
    }

    /// How often each step's effect was made and taken back.
    pub(super) fn effects(&self, saga: &str) -> BTreeMap<String, (u32, u32)> {
        let prefix = format!("{saga}:");
        let inner = self.inner.lock();
        let own = inner.effects.iter().filter_map(|(key, counts)| {
            key.strip_prefix(&prefix)
                .map(|step| (step.to_owned(), *counts))
        });
        own.collect()
    }

    /// A point at which the engine may die. Where it does, nothing goes on.
    async fn point(&self) {
        if !self.survives() {
            std::future::pending::<()>().await;
        }
    }

    /// Passes a point; false where the engine is dead by now.
    pub(super) fn survives(&self) -> bool {
        let mut inner = self.inner.lock();
        match &mut inner.fuse {
            Some(0) => {
                self.killed.send_replace(true);
                false
            }
            Some(points) => {
                *points -= 1;
                true
            }
            None => true,
        }
    }

    pub(super) async fn act(&self, step: &'static str, key: &str) -> Action {
        self.point().await;
        let act = {
            let mut inner = self.inner.lock();
            inner.calls.push(format!("act {step}"));
            let scripted = inner.acts.get_mut(step).and_then(VecDeque::pop_front);
            scripted.or_else(|| inner.always.get(step).copied())
        };
        let action = match act.unwrap_or(Act::Done) {
            Act::Done => self.effect(key),
            Act::Refuse => self.refuse(key),
            Act::Fail => Action::Failed("nobody there".into()),
            Act::Panic => panic!("{step} panics, as it was told to"),
            Act::Silent(lands) => {
                self.send(key, lands);
                self.hang().await
            }
            Act::Unknown(lands) => {
                self.send(key, lands);
                Action::Unknown("the line broke".into())
            }
            Act::Gate => {
                wait_at(&self.gate, &self.hanging).await;
                self.effect(key)
            }
            Act::DoneThenGate => {
                let done = self.effect(key);
                wait_at(&self.gate, &self.hanging).await;
                done
            }
        };
        self.point().await;
        action
    }

    pub(super) async fn resolve(&self, step: &'static str, key: &str) -> Resolution {
        self.point().await;
        let waits = {
            let mut inner = self.inner.lock();
            inner.calls.push(format!("resolve {step}"));
            inner.questions_wait
        };
        if waits {
            wait_at(&self.answers, &self.asking).await;
        }
        if self.spend(step, |inner| &mut inner.unanswered_questions) {
            return Resolution::Unknown("nobody there".into());
        }
        let known = self.inner.lock().outcomes.get(key).copied();
        let resolution = match known {
            Some(true) => Resolution::Done(json!({"done": true})),
            Some(false) => Resolution::Refused(refusal()),
            None => Resolution::Never,
        };
        let arrives =
            |(lands, late): &(Lands, String)| *lands == Lands::OnceAskedFor && late == key;
        let arrived = {
            let mut inner = self.inner.lock();
            let place = inner.late.iter().position(arrives);
            place.map(|place| inner.late.remove(place))
        };
        if arrived.is_some() {
            self.effect(key);
        }
        self.point().await;
        resolution
    }

    pub(super) async fn undo(&self, step: &'static str, key: &str) -> Undo {
        self.point().await;
        self.inner.lock().calls.push(format!("undo {step}"));
        if self.spend(step, |inner| &mut inner.undo_failures) {
            return Undo::Failed("nobody there".into());
        }
        let action_key = key.strip_suffix(":undo").expect("an undo's key");
        {
            let mut inner = self.inner.lock();
            let first = inner.tombstones.insert(action_key.to_owned(), ()).is_none();
            let happened = inner.outcomes.get(action_key) == Some(&true);
            if first && happened {
                inner.effects.entry(action_key.to_owned()).or_default().1 += 1;
            }
        }
        self.point().await;
        Undo::Done
    }

    fn spend(
        &self,
        step: &'static str,
        of: fn(&mut Inner) -> &mut HashMap<&'static str, u32>,
    ) -> bool {
        let mut inner = self.inner.lock();
        match of(&mut inner).get_mut(step) {
            Some(0) | None => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// Makes the effect, unless the key has been seen or buried.
    fn effect(&self, key: &str) -> Action {
        let mut inner = self.inner.lock();
        if inner.tombstones.contains_key(key) {
            return Action::Refused(refusal());
        }
        match inner.outcomes.get(key) {
            Some(false) => Action::Refused(refusal()),
            Some(true) => Action::Done(json!({"done": true})),
            None => {
                inner.outcomes.insert(key.to_owned(), true);
                inner.effects.entry(key.to_owned()).or_default().0 += 1;
                Action::Done(json!({"done": true}))
            }
        }
    }

    fn refuse(&self, key: &str) -> Action {
        self.inner.lock().outcomes.insert(key.to_owned(), false);
        Action::Refused(refusal())
    }

    fn send(&self, key: &str, lands: Lands) {
        match lands {
            Lands::Done => drop(self.effect(key)),
            Lands::Refused => drop(self.refuse(key)),
            Lands::Never => {}
            Lands::OnceAskedFor | Lands::AtTheEnd => {
                self.inner.lock().late.push((lands, key.to_owned()));
            }
        }
    }

    async fn hang(&self) -> Action {
        let _hanging = Hanging::new(&self.hanging);
        std::future::pending().await
    }
}

/// Waits until the gate is opened, and is counted meanwhile.
async fn wait_at(gate: &watch::Sender<u32>, count: &watch::Sender<u32>) {
    let mut gate = gate.subscribe();
    let before = *gate.borrow_and_update();
    let _hanging = Hanging::new(count);
    let opened = gate.wait_for(|opened| *opened > before).await;
    opened.expect("the provider lives");
}

fn refusal() -> Refusal {
    Refusal::new("not_allowed", "the rule says no")
}

struct Hanging<'a>(&'a watch::Sender<u32>);

impl<'a> Hanging<'a> {
    fn new(count: &'a watch::Sender<u32>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
