//! Invariants, counted over the live data.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cleave_vocabulary::PortError;
use serde::Serialize;

/// One broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Violation {
    /// What breaks it: an id.
    pub subject: String,
    /// How.
    pub detail: String,
}

/// One invariant, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct AuditCheck {
    /// `stock_is_never_oversold`.
    pub name: String,
    /// How many things were looked at.
    pub checked: u64,
    /// Which of them break it (the first hundred).
    pub violations: Vec<Violation>,
}

/// Violations that are named; the rest only show that there are more.
const NAMED: usize = 100;

impl AuditCheck {
    /// A check that has looked at nothing yet.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            checked: 0,
            violations: Vec::new(),
        }
    }

    /// Looks at one more thing, which may be `broken`.
    pub fn see(&mut self, subject: &dyn Display, broken: Option<String>) {
        self.checked += 1;
        if let Some(detail) = broken {
            self.violated(subject, detail);
        }
    }

    /// Names what breaks the invariant, while there is room.
    pub fn violated(&mut self, subject: &dyn Display, detail: String) {
        if self.violations.len() < NAMED {
            let subject = subject.to_string();
            self.violations.push(Violation { subject, detail });
        }
    }
}

/// How much an audit has looked at so far, for whoever watches it.
#[derive(Debug, Default)]
pub struct Seen(AtomicU64);

impl Seen {
    /// So many rows more.
    pub fn add(&self, rows: usize) {
        self.0.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// All rows so far.
    pub fn rows(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The outcome for one context.
pub type Audited = Result<Vec<AuditCheck>, PortError>;

/// Counts a context's invariants, those across its own ports included.
#[async_trait]
pub trait Auditor: Send + Sync + 'static {
    /// Counts them all in bounded memory, a page at a time, so that it holds up
    /// nobody else's queries; `seen` hears of each page.
    async fn count(&self, seen: &Seen) -> Audited;

    /// Counts them all, with nobody watching.
    async fn audit(&self) -> Audited {
        self.count(&Seen::default()).await
    }
}
