//! Where a context's events were published to. A receipt may mean that a stream
//! keeps the event for its handlers, and a stream can be lost, with its broker or
//! by somebody's hand. So the incarnation of each is remembered beside the
//! watermark, and where it is another one, the watermark goes back and what may not
//! have been handled is published again. What this lacks is a look at the handlers:
//! inboxes drop what they know, and they know it for a time, of which this goes back
//! half, so that what is published again has the other half to be handled in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cleave_lease::Term;
use cleave_store::{Store, Tx, Unit};
use cleave_vocabulary::{Clock, Timestamp};
use parking_lot::Mutex;
use sea_orm::DbErr;

use crate::sql::{self, execute, query};
use crate::{BusError, EventBus, Outbox, family};

/// What one relay knows of where its events went.
pub(crate) struct Carriage {
    store: Store,
    bus: Arc<dyn EventBus>,
    clock: Arc<dyn Clock>,
    /// How long inboxes remember.
    memory: Duration,
    /// The incarnation of each family that was published; none where a receipt means handled.
    known: Mutex<BTreeMap<String, Option<String>>>,
}

/// What came of a comparison.
pub(crate) enum Agreed {
    /// Nothing was lost.
    Same,
    /// Everything behind here is to be published again.
    Back(i64),
    /// Another relay has taken over.
    Over,
}

/// A family whose events are somewhere else by now.
struct Moved {
    family: String,
    to: Option<String>,
}

impl Carriage {
    pub(crate) fn new(
        store: Store,
        bus: Arc<dyn EventBus>,
        clock: Arc<dyn Clock>,
        memory: Duration,
    ) -> Self {
        Self {
            store,
            bus,
            clock,
            memory,
            known: Mutex::default(),
        }
    }

    pub(crate) fn remember_for(&mut self, memory: Duration) {
        self.memory = memory;
    }

    /// Compares what the database remembers with what the bus says; the watermark,
    /// which stands at `position`, goes back where they differ.
    pub(crate) async fn agree(&self, term: &Term, position: i64) -> Result<Agreed, BusError> {
        let read = async |tx: &Tx| -> Unit<_> { Ok(remembered(tx).await?) };
        let remembered = self.store.read(read).await.map_err(failed)?;
        let moved = self.moved(&remembered).await?;
        let known = remembered
            .into_iter()
            .map(|(family, id)| (family, Some(id)));
        *self.known.lock() = known.collect();
        if moved.is_empty() {
            return Ok(Agreed::Same);
        }
        self.go_back(term, position, moved).await
    }

    /// Remembers where the events of this type go, before the first of them does.
    pub(crate) async fn note(&self, kind: &str) -> Result<(), BusError> {
        let family = family(kind);
        if self.known.lock().contains_key(family) {
            return Ok(());
        }
        let incarnation = self.bus.incarnation(family).await?;
        if let Some(incarnation) = incarnation.clone() {
            let family = family.to_owned();
            let note =
                async move |tx: &Tx| -> Unit<()> { Ok(remember(tx, &family, &incarnation).await?) };
            self.store.write(note).await.map_err(failed)?;
        }
        self.known.lock().insert(family.to_owned(), incarnation);
        Ok(())
    }

    /// Whether the events of a family are somewhere else by now.
    pub(crate) async fn has_moved(&self) -> Result<bool, BusError> {
        let known = self.known.lock().clone();
        let known = known
            .into_iter()
            .filter_map(|(family, id)| Some((family, id?)));
        let moved = self.moved(&known.collect()).await?;
        Ok(!moved.is_empty())
    }

    async fn moved(&self, known: &BTreeMap<String, String>) -> Result<Vec<Moved>, BusError> {
        let mut moved = Vec::new();
        for (family, before) in known {
            let to = self.bus.incarnation(family).await?;
            if to.as_ref() != Some(before) {
                let family = family.clone();
                moved.push(Moved { family, to });
            }
        }
        Ok(moved)
    }

    /// Where they are now is written down with the watermark: a crash between the
    /// two would forget one of them.
    async fn go_back(
        &self,
        term: &Term,
        position: i64,
        moved: Vec<Moved>,
    ) -> Result<Agreed, BusError> {
        let (term, moved) = (term.clone(), Arc::new(moved));
        let since = self.clock.now().minus(self.memory / 2);
        let (families, context) = (moved.clone(), self.store.name().to_owned());
        let unit = async move |tx: &Tx| -> Unit<Option<i64>> {
            if !term.holds(tx).await? {
                return Ok(None);
            }
            let back = last_before(tx, since, position).await?;
            Outbox::unsettle(tx, back).await?;
            for Moved { family, to } in families.iter() {
                forget(tx, family).await?;
                if let Some(incarnation) = to {
                    remember(tx, family, incarnation).await?;
                }
            }
            Ok(Some(back))
        };
        let Some(back) = self.store.write(unit).await.map_err(failed)? else {
            return Ok(Agreed::Over);
        };
        for Moved { family, to } in moved.iter() {
            self.known.lock().insert(family.clone(), to.clone());
            tracing::warn!(
                context,
                family,
                behind = back,
                until = position,
                "what carries these events is not what they were published to; they go out again, and handlers drop what they know"
            );
        }
        Ok(Agreed::Back(back))
    }
}

fn failed(error: impl std::fmt::Display) -> BusError {
    BusError::Failed(error.to_string())
}

async fn remembered(tx: &Tx) -> Result<BTreeMap<String, String>, DbErr> {
    const REMEMBERED: &str = "SELECT family, incarnation FROM outbox_streams";
    let rows = query(tx, REMEMBERED, vec![]).await?;
    let row = |row: &sea_orm::QueryResult| {
        Ok((row.try_get("", "family")?, row.try_get("", "incarnation")?))
    };
    rows.iter().map(row).collect()
}

async fn remember(tx: &Tx, family: &str, incarnation: &str) -> Result<(), DbErr> {
    const REMEMBER: &str = "INSERT INTO outbox_streams (family, incarnation) VALUES ($1, $2) \
         ON CONFLICT (family) DO NOTHING";
    let values = vec![family.into(), incarnation.into()];
    execute(tx, REMEMBER, values).await.map(drop)
}

async fn forget(tx: &Tx, family: &str) -> Result<(), DbErr> {
    const FORGET: &str = "DELETE FROM outbox_streams WHERE family = $1";
    execute(tx, FORGET, vec![family.into()]).await.map(drop)
}

/// The number, `position` at the most, behind which the events since a moment are:
/// they stand in the order of their times, or nearly.
async fn last_before(tx: &Tx, since: Timestamp, position: i64) -> Result<i64, DbErr> {
    let (mut low, mut high) = (0, position);
    while low < high {
        let middle = low + (high - low) / 2;
        let next = Outbox::rows(tx, middle, 1).await?.pop();
        match next {
            Some((seq, text)) if is_before(&text, since) => low = seq.min(high),
            _ => high = middle,
        }
    }
    Ok(low)
}

/// What is no event is as old as any.
fn is_before(text: &str, since: Timestamp) -> bool {
    sql::from_text(text).map_or(true, |event| event.time < since)
}
