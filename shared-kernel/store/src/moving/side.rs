//! Either side of a move, as the copying sees it.

use std::collections::{BTreeMap, BTreeSet};

use super::file::File;
use super::plan::{MIGRATIONS, Plan, Table};
use super::server::Server;
use super::value::{Digest, Kind, Row, Value};
use super::{Failed, Location, MARK, Marked, Options};
use crate::OpenError;

/// A database, open and locked against stores.
pub(super) enum Side {
    File(File),
    Server(Box<Server>),
}

impl Side {
    pub(super) async fn source(
        name: &str,
        at: &Location,
        options: &Options,
    ) -> Result<Self, OpenError> {
        Ok(match at {
            Location::File(path) => Self::File(File::source(path)?),
            Location::Schema(url) => {
                let server = Server::source(name, url, &options.postgres);
                Self::Server(Box::new(server.await?))
            }
        })
    }

    pub(super) async fn target(
        name: &str,
        at: &Location,
        options: &Options,
    ) -> Result<Self, OpenError> {
        Ok(match at {
            Location::File(path) => Self::File(File::target(path)?),
            Location::Schema(url) => {
                let server = Server::target(name, url, &options.postgres);
                Self::Server(Box::new(server.await?))
            }
        })
    }

    /// Its tables, without the one that notes migrations.
    pub(super) async fn tables(&mut self) -> Result<BTreeSet<String>, Failed> {
        match self {
            Self::File(file) => file.tables(),
            Self::Server(server) => server.tables().await,
        }
    }

    /// The migrations that were run; none where nobody ever migrated it.
    pub(super) async fn applied(&mut self) -> Result<BTreeSet<String>, Failed> {
        if !self.tables().await?.contains(MIGRATIONS) {
            return Ok(BTreeSet::new());
        }
        match self {
            Self::File(file) => file.applied(),
            Self::Server(server) => server.applied().await,
        }
    }

    /// What is wrong with its tables, by the plan.
    pub(super) async fn misfit(&mut self, plan: &Plan) -> Result<Option<String>, Failed> {
        let mut found = self.tables().await?;
        found.remove(MIGRATIONS);
        found.remove(MARK);
        for table in &plan.tables {
            if !found.remove(&table.name) {
                return Ok(Some(format!("it has no table {}", table.name)));
            }
            let columns = match self {
                Self::File(file) => file.columns(&table.name)?,
                Self::Server(server) => server.columns(&table.name).await?,
            };
            let wanted = table.columns.iter().cloned();
            let wanted: BTreeMap<String, Option<Kind>> =
                wanted.map(|(name, kind)| (name, Some(kind))).collect();
            if columns != wanted {
                let name = &table.name;
                return Ok(Some(format!("its table {name} has other columns")));
            }
        }
        let other = found.pop_first();
        Ok(other.map(|name| format!("it has a table {name}, which is none of this context's")))
    }

    pub(super) async fn count(&mut self, table: &Table) -> Result<u64, Failed> {
        match self {
            Self::File(file) => file.count(table),
            Self::Server(server) => server.count(table).await,
        }
    }

    pub(super) async fn page(
        &mut self,
        table: &Table,
        behind: Option<&[Value]>,
    ) -> Result<Vec<Row>, Failed> {
        match self {
            Self::File(file) => file.page(table, behind),
            Self::Server(server) => server.page(table, behind).await,
        }
    }

    /// Over every row, a page at a time.
    pub(super) async fn digest(
        &mut self,
        table: &Table,
        mut read: impl FnMut(u64),
    ) -> Result<Digest, Failed> {
        let mut digest = Digest::default();
        let mut last: Option<Row> = None;
        loop {
            let page = self.page(table, last.as_deref()).await?;
            for row in &page {
                digest.add(row);
            }
            read(page.len() as u64);
            match page.last() {
                Some(row) if page.len() == table.page() => last = Some(key_of(table, row)),
                _ => return Ok(digest),
            }
        }
    }

    pub(super) async fn begin(&mut self, plan: &Plan, from: &str) -> Result<(), Failed> {
        match self {
            Self::File(file) => file.begin(plan, from),
            Self::Server(server) => server.begin(plan, from).await,
        }
    }

    /// What the mark of an unfinished move says; none where there is no mark.
    pub(super) async fn marked(&mut self) -> Result<Option<Marked>, Failed> {
        if !self.tables().await?.contains(MARK) {
            return Ok(None);
        }
        match self {
            Self::File(file) => file.marked().map(Some),
            Self::Server(server) => server.marked().await.map(Some),
        }
    }

    pub(super) async fn put(&mut self, table: &Table, page: &[Row]) -> Result<(), Failed> {
        let Some(last) = page.last().map(|row| key_of(table, row)) else {
            return Ok(());
        };
        match self {
            Self::File(file) => file.put(table, page, &last),
            Self::Server(server) => server.put(table, page, &last).await,
        }
    }

    pub(super) async fn finish(&mut self) -> Result<(), Failed> {
        match self {
            Self::File(file) => file.finish(),
            Self::Server(server) => server.finish().await,
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::File(file) => drop(file),
            Self::Server(server) => server.close().await,
        }
    }
}

pub(super) fn key_of(table: &Table, row: &Row) -> Row {
    table.key.iter().map(|place| row[*place].clone()).collect()
}
