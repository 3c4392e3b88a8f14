//! Moving a context's data to another place, SQLite or Postgres, while nobody
//! uses it. The source is only ever read. The target carries a mark until it
//! holds everything and both sides were read again and compared; no store opens
//! it before. A move that was interrupted goes on behind the last page that was
//! committed. What is held in memory is one page, however large the tables are.

mod file;
mod plan;
mod server;
mod side;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;

use sea_orm_migration::MigratorTrait;

use crate::{OpenError, PostgresOptions, SqliteOptions, Store, postgres};
use plan::{Plan, Table};
use side::Side;
use value::{Row, key_of_text};

/// The table that says that a database holds part of a copy.
pub(crate) const MARK: &str = "unfinished_move";

/// By table, the key that was reached; under no name, where the rows come from.
type Marked = BTreeMap<String, String>;

/// Where a context keeps its data.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    File(PathBuf),
    /// The URL of a Postgres database; the schema is `cleave_<context>`, or what
    /// its parameter `schema` says.
    Schema(String),
}

/// How either database is used.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// SQLite.
    pub sqlite: SqliteOptions,
    /// Postgres.
    pub postgres: PostgresOptions,
}

impl Location {
    /// For messages; without user and password.
    pub fn shown(&self, context: &str) -> String {
        match self {
            Self::File(path) => file::absolute(path).display().to_string(),
            Self::Schema(url) => postgres::shown(context, url),
        }
    }
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows copied, here or by a run before.
    pub copied: u64,
    /// Rows read again, on both sides together.
    pub compared: u64,
    /// Rows that there are.
    pub rows: u64,
}

/// What a move came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Each table, and its rows.
    pub tables: Vec<(String, u64)>,
    /// What was done before.
    pub before: Before,
}

/// What a move found at its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// Part of this copy.
    Part,
    /// All of it: nothing was left to do.
    Everything,
}

/// Why a context was not moved. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// A side can't be opened.
    #[error("{side}: {error}")]
    Open {
        /// Which.
        side: &'static str,
        /// Why.
        error: OpenError,
    },
    /// The migrations can't be run, or make what can't be copied.
    #[error(transparent)]
    Schema(#[from] OpenError),
    /// A side is not what it must be.
    #[error("{0}")]
    Unfit(String),
    /// A database said no in the middle; what was copied stays, and is gone on from.
    #[error("{place}: {reason}; the same command goes on where it was")]
    Failed {
        /// Which.
        place: String,
        /// What it said.
        reason: String,
    },
}

/// What a database said.
#[derive(Debug)]
struct Failed(String);

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Copies the data of `context`, whose migrations are `M`'s, `from` one place `to`
/// another, and compares them. Tells after each page how far it is.
pub async fn relocate<M: MigratorTrait>(
    context: &str,
    from: &Location,
    to: &Location,
    options: &Options,
    told: &mut dyn FnMut(Progress),
) -> Result<Moved, MoveError> {
    let (shown_from, shown_to) = (from.shown(context), to.shown(context));
    if shown_from == shown_to {
        return Err(MoveError::Unfit(format!(
            "{context} is at {shown_to} already; name another place with --to"
        )));
    }
    if let Location::File(path) = from
        && !path.exists()
    {
        return Err(MoveError::Unfit(format!(
            "the source: {shown_from} does not exist; name the folder of a server that has run with data_dir (--data-dir), or where the data is with database.{context}.url"
        )));
    }
    let plan = Plan::of::<M>(context)?;
    let source = Side::source(context, from, options).await;
    let source = source.map_err(|error| MoveError::Open {
        side: "the source",
        error,
    })?;
    let mut work = Move {
        plan,
        source,
        target: None,
        from: shown_from,
        to: shown_to,
        told,
        progress: Progress {
            copied: 0,
            compared: 0,
            rows: 0,
        },
    };
    work.check_source().await?;
    work.open_target::<M>(to, options).await?;
    let moved = work.run().await;
    work.source.close().await;
    if let Some(target) = work.target {
        target.close().await;
    }
    moved
}

struct Move<'t> {
    plan: Plan,
    source: Side,
    /// None until it has been opened.
    target: Option<Side>,
    from: String,
    to: String,
    told: &'t mut dyn FnMut(Progress),
    progress: Progress,
}

/// Names the place with what a database said.
fn at(place: &str) -> impl FnOnce(Failed) -> MoveError {
    move |Failed(reason)| MoveError::Failed {
        place: place.to_owned(),
        reason,
    }
}

impl Move<'_> {
    async fn check_source(&mut self) -> Result<(), MoveError> {
        let (from, context) = (self.from.clone(), self.plan.context.clone());
        let unfit = |reason: &str| Err(MoveError::Unfit(format!("the source: {from} {reason}")));
        let marked = self.source.marked().await.map_err(at(&from))?;
        if marked.is_some() {
            return unfit("holds a copy that was not finished; finish that move first");
        }
        let applied = self.source.applied().await.map_err(at(&from))?;
        if let Some(newer) = applied.difference(&self.plan.known).next() {
            return unfit(&format!(
                "is of another context or of a newer version of this program (it knows the migration {newer}); use that version, or name another place"
            ));
        }
        if let Some(older) = self.plan.known.difference(&applied).next() {
            return unfit(&format!(
                "is not up to date (it lacks the migration {older}); run `cleave migrate` with the settings of {context} first"
            ));
        }
        match self.source.misfit(&self.plan).await.map_err(at(&from))? {
            Some(misfit) => unfit(&format!("can't be copied: {misfit}")),
            None => Ok(()),
        }
    }

    /// Opens the target; where nothing is there at all, the migrations are run first.
    async fn open_target<M: MigratorTrait>(
        &mut self,
        to: &Location,
        options: &Options,
    ) -> Result<(), MoveError> {
        let context = self.plan.context.clone();
        let open = async || {
            let opened = Side::target(&context, to, options).await;
            opened.map_err(|error| MoveError::Open {
                side: "the target",
                error,
            })
        };
        let mut target = open().await?;
        if target.tables().await.map_err(at(&self.to))?.is_empty() {
            target.close().await;
            let store = match to {
                Location::File(path) => Store::open_sqlite(&context, path, &options.sqlite)?,
                Location::Schema(url) => {
                    Store::open_postgres(&context, url, &options.postgres).await?
                }
            };
            let migrated = store.migrate::<M>().await;
            store.close().await;
            migrated?;
            target = open().await?;
        }
        let applied = target.applied().await.map_err(at(&self.to))?;
        let unfit = |reason: String| {
            MoveError::Unfit(format!(
                "the target: {} {reason}; name an empty database with --to, or empty this one",
                self.to
            ))
        };
        if applied != self.plan.known {
            return Err(unfit(format!(
                "holds what is not {context}'s, or of another version of this program"
            )));
        }
        if let Some(misfit) = target.misfit(&self.plan).await.map_err(at(&self.to))? {
            return Err(unfit(format!("can't be used: {misfit}")));
        }
        self.target = Some(target);
        Ok(())
    }

    async fn run(&mut self) -> Result<Moved, MoveError> {
        let (from, to) = (self.from.clone(), self.to.clone());
        let Some(mut target) = self.target.take() else {
            return Err(MoveError::Unfit(format!("the target: {to} was not opened")));
        };
        for table in &self.plan.tables {
            self.progress.rows += self.source.count(table).await.map_err(at(&from))?;
        }
        let mark = target.marked().await.map_err(at(&to))?;
        let (before, marked) = match mark {
            Some(marked) => (Before::Part, self.resumed(marked)?),
            None if self.is_pristine(&mut target).await? => {
                target.begin(&self.plan, &from).await.map_err(at(&to))?;
                (Before::Nothing, Marked::new())
            }
            None => (Before::Everything, Marked::new()),
        };
        if before != Before::Everything {
            self.copy(&mut target, &marked).await?;
        }
        let tables = self.compare(&mut target, before).await?;
        if before != Before::Everything {
            target.finish().await.map_err(at(&to))?;
        }
        self.target = Some(target);
        Ok(Moved { tables, before })
    }

    /// A mark that another move left is not ours to go on from.
    fn resumed(&self, marked: Marked) -> Result<Marked, MoveError> {
        let origin = marked.get("").map_or("", String::as_str);
        if origin == self.from {
            return Ok(marked);
        }
        Err(MoveError::Unfit(format!(
            "the target: {} holds part of a copy of {origin}; finish that one, or name an empty database with --to, or empty this one",
            self.to
        )))
    }

    /// Whether the target holds what the migrations put there, and nothing else.
    async fn is_pristine(&mut self, target: &mut Side) -> Result<bool, MoveError> {
        for table in &self.plan.tables {
            let rows = target.count(table).await.map_err(at(&self.to))?;
            if rows != table.seed.rows {
                return Ok(false);
            }
            let digest = target.digest(table, |_| ()).await;
            if digest.map_err(at(&self.to))? != table.seed {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn copy(&mut self, target: &mut Side, marked: &Marked) -> Result<(), MoveError> {
        let (source, progress) = (&mut self.source, &mut self.progress);
        for table in &self.plan.tables {
            let mut last = reached(table, marked);
            if last.is_some() {
                progress.copied += target.count(table).await.map_err(at(&self.to))?;
            }
            loop {
                let page = source.page(table, last.as_deref()).await;
                let page = page.map_err(at(&self.from))?;
                target.put(table, &page).await.map_err(at(&self.to))?;
                progress.copied += page.len() as u64;
                (self.told)(*progress);
                match page.last() {
                    Some(row) if page.len() == table.page() => {
                        last = Some(side::key_of(table, row));
                    }
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// Reads both sides again, table by table.
    async fn compare(
        &mut self,
        target: &mut Side,
        before: Before,
    ) -> Result<Vec<(String, u64)>, MoveError> {
        let mut tables = Vec::new();
        for table in &self.plan.tables {
            let (progress, told) = (&mut self.progress, &mut self.told);
            let mut read = |rows| {
                progress.compared += rows;
                told(*progress);
            };
            let here = self.source.digest(table, &mut read).await;
            let there = target.digest(table, &mut read).await;
            let (here, there) = (here.map_err(at(&self.from))?, there.map_err(at(&self.to))?);
            if here != there {
                return Err(MoveError::Unfit(differs(
                    &self.from, &self.to, table, before,
                )));
            }
            tables.push((table.name.clone(), here.rows));
        }
        Ok(tables)
    }
}

/// The key that an earlier run reached.
fn reached(table: &Table, marked: &Marked) -> Option<Row> {
    key_of_text(marked.get(&table.name)?, table.key_kinds())
}

fn differs(from: &str, to: &str, table: &Table, before: Before) -> String {
    let table = &table.name;
    match before {
        Before::Everything => format!(
            "the target: {to} holds other data (its table {table} is not that of {from}); name an empty database with --to, or empty this one"
        ),
        _ => format!(
            "the table {table} is not the same in {from} and in its copy at {to}: the source was used since the copy began; stop who uses it, empty the target and start again"
        ),
    }
}
