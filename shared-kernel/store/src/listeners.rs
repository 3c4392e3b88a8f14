//! Who hears of a commit: of the bare fact (a signal), or of what the unit has
//! to tell (news). Both reach the living alone; neither is kept, so whoever was
//! away finds the truth in the database.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Signal;

/// What a unit tells under a signal once it has committed.
pub(crate) type News = Box<dyn Any + Send>;
type Hear = dyn Fn(News) + Send + Sync;

/// Hears news for as long as it is kept.
pub struct Following(#[expect(dead_code, reason = "kept alive")] Arc<Hear>);

/// Everybody who listens at one store.
#[derive(Default)]
pub(crate) struct Listeners {
    signals: Mutex<HashMap<Signal, Vec<Weak<Notify>>>>,
    news: Mutex<HashMap<Signal, Weak<Hear>>>,
}

impl Listeners {
    pub(crate) fn listen(&self, signal: Signal) -> Arc<Notify> {
        let listener = Arc::new(Notify::new());
        let mut signals = self.signals.lock();
        let listening = signals.entry(signal).or_default();
        listening.push(Arc::downgrade(&listener));
        listener
    }

    /// Whoever followed before hears no more.
    pub(crate) fn follow<T: 'static>(
        &self,
        signal: Signal,
        hear: impl Fn(T) + Send + Sync + 'static,
    ) -> Following {
        let hear: Arc<Hear> = Arc::new(move |news: News| {
            if let Ok(news) = news.downcast() {
                hear(*news);
            }
        });
        self.news.lock().insert(signal, Arc::downgrade(&hear));
        Following(hear)
    }

    pub(crate) fn is_followed(&self, signal: Signal) -> bool {
        let news = self.news.lock();
        news.get(signal).is_some_and(|hear| hear.strong_count() > 0)
    }

    pub(crate) fn tell(&self, signal: Signal, news: News) {
        let hear = self.news.lock().get(signal).and_then(Weak::upgrade);
        if let Some(hear) = hear {
            hear(news);
        }
    }

    /// Wakes everybody, because something may have happened that nobody told.
    pub(crate) fn raise_all(&self) {
        let known: Vec<Signal> = self.signals.lock().keys().copied().collect();
        self.raise(&known);
    }

    pub(crate) fn raise(&self, raised: &[Signal]) {
        let mut signals = self.signals.lock();
        for signal in raised {
            if let Some(listening) = signals.get_mut(signal) {
                listening.retain(|listener| {
                    listener.upgrade().inspect(|one| one.notify_one()).is_some()
                });
            }
        }
    }
}
