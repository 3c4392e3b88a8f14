//! The saga that the suite runs: three steps that can be undone, and a pivot;
//! or, in its longer form, a retriable step behind it. Each hook writes a row,
//! so that the database itself tells which of them took effect, and in which order.

use std::time::Duration;

use async_trait::async_trait;
use cleave_saga::{
    Action, Definition, Exhausted, Resolution, Step, StepCall, StepKind, StepPolicy, Undo,
};
use cleave_store::Tx;
use cleave_vocabulary::Refusal;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::provider::Provider;

/// What the steps work on: what their hooks were told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Notes {
    pub(super) told: Vec<String>,
}

/// The definition, under a version.
#[derive(Clone)]
pub(super) struct Errand<const VERSION: u32> {
    pub(super) provider: Provider,
    pub(super) exhausted: Exhausted,
    pub(super) with_tail: bool,
}

pub(super) const TIME_LIMIT: Duration = Duration::from_secs(10);
pub(super) const ATTEMPTS: u32 = 3;

/// The steps that can be undone, and the pivot.
pub(super) const STEPS: [&str; 4] = ["a", "b", "c", "d"];
const UNDOS: [&str; 4] = ["undo_a", "undo_b", "undo_c", "undo_d"];

impl<const VERSION: u32> Definition for Errand<VERSION> {
    type Data = Notes;

    const KIND: &'static str = "errand";
    const VERSION: u32 = VERSION;

    fn steps(&self) -> Vec<Box<dyn Step<Notes>>> {
        let step = |name, undo_name, kind| -> Box<dyn Step<Notes>> {
            Box::new(Leg {
                name,
                undo_name,
                kind,
                provider: self.provider.clone(),
                exhausted: self.exhausted,
            })
        };
        let kinds = [
            StepKind::Compensatable,
            StepKind::Compensatable,
            StepKind::Compensatable,
            StepKind::Pivot,
        ];
        let legs = STEPS.into_iter().zip(UNDOS).zip(kinds);
        let mut steps: Vec<_> = legs
            .map(|((name, undo_name), kind)| step(name, undo_name, kind))
            .collect();
        if self.with_tail {
            steps.push(step("e", "undo_e", StepKind::Retriable));
        }
        steps
    }
}

struct Leg {
    name: &'static str,
    undo_name: &'static str,
    kind: StepKind,
    provider: Provider,
    exhausted: Exhausted,
}

impl Leg {
    async fn tell(
        &self,
        tx: &Tx,
        call: &StepCall,
        notes: &mut Notes,
        what: &str,
    ) -> Result<(), DbErr> {
        let told = format!("{what} {}", self.name);
        let statement = Statement::from_sql_and_values(
            tx.get_database_backend(),
            "INSERT INTO told (saga, what) VALUES ($1, $2)",
            [call.saga.to_string().into(), told.clone().into()],
        );
        tx.execute_raw(statement).await?;
        notes.told.push(told);
        if self.provider.writes(self.name) && self.provider.survives() {
            Ok(())
        } else {
            Err(DbErr::Custom("not written".into()))
        }
    }
}

#[async_trait]
impl Step<Notes> for Leg {
    fn name(&self) -> &'static str {
        self.name
    }

    fn undo_name(&self) -> &'static str {
        self.undo_name
    }

    fn kind(&self) -> StepKind {
        self.kind
    }

    fn policy(&self) -> StepPolicy {
        StepPolicy {
            attempts: ATTEMPTS,
            backoff: Duration::from_millis(100),
            backoff_limit: Duration::from_secs(2),
            exhausted: self.exhausted,
            time_limit: TIME_LIMIT,
        }
    }

    async fn act(&self, call: &StepCall, _notes: &Notes) -> Action {
        assert!(!call.key.ends_with(":undo") && call.call.deadline.is_some());
        self.provider.act(self.name, &call.key).await
    }

    async fn resolve(&self, call: &StepCall, _notes: &Notes) -> Resolution {
        self.provider.resolve(self.name, &call.key).await
    }

    async fn undo(&self, call: &StepCall, _notes: &Notes) -> Undo {
        self.provider.undo(self.name, &call.key).await
    }

    async fn on_done(
        &self,
        tx: &Tx,
        call: &StepCall,
        notes: &mut Notes,
        _output: &Value,
    ) -> Result<(), DbErr> {
        let what = if call.cancelled {
            "done-too-late"
        } else {
            "done"
        };
        self.tell(tx, call, notes, what).await
    }

    async fn on_refused(
        &self,
        tx: &Tx,
        call: &StepCall,
        notes: &mut Notes,
        refusal: &Refusal,
    ) -> Result<(), DbErr> {
        let what = format!("refused({})", refusal.code);
        self.tell(tx, call, notes, &what).await
    }

    async fn on_undone(&self, tx: &Tx, call: &StepCall, notes: &mut Notes) -> Result<(), DbErr> {
        self.tell(tx, call, notes, "undone").await
    }

    async fn on_stuck(
        &self,
        tx: &Tx,
        call: &StepCall,
        notes: &mut Notes,
        _error: &str,
    ) -> Result<(), DbErr> {
        self.tell(tx, call, notes, "stuck").await
    }
}
