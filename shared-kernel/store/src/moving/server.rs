//! One side of a move that is a schema of a Postgres database. A lock of the
//! server's keeps stores out of it while it is copied, and notices those that
//! are in it.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, Executor, Row as _};
use uuid::Uuid;

use super::plan::{MIGRATIONS, Plan, Table, quoted};
use super::value::{Kind, Row, Value, key_to_text};
use super::{Failed, MARK, Marked};
use crate::postgres::{BETWEEN, PATIENCE, Purpose, Target};
use crate::{OpenError, PostgresOptions};

/// A schema, locked against stores.
pub(super) struct Server {
    connection: PgConnection,
}

impl Server {
    /// To read from: one snapshot, and nothing can be written.
    pub(super) async fn source(
        name: &str,
        url: &str,
        options: &PostgresOptions,
    ) -> Result<Self, OpenError> {
        let (target, mut server) = Self::open(name, url, options).await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        let begun = server.connection.execute(begin).await;
        begun.map_err(|error| target.explain(&error))?;
        Ok(server)
    }

    /// To write to.
    pub(super) async fn target(
        name: &str,
        url: &str,
        options: &PostgresOptions,
    ) -> Result<Self, OpenError> {
        Ok(Self::open(name, url, options).await?.1)
    }

    async fn open(
        name: &str,
        url: &str,
        options: &PostgresOptions,
    ) -> Result<(Target, Self), OpenError> {
        let target = Target::parse(name, url, options)?;
        target.look().await?;
        let explain = |error| target.explain(&error);
        let mut connection = target.connect(Purpose::Own).await.map_err(explain)?;
        for _ in 0..PATIENCE {
            if target.lock_alone(&mut connection).await.map_err(explain)? {
                return Ok((target, Self { connection }));
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Err(target.in_use())
    }

    pub(super) async fn tables(&mut self) -> Result<BTreeSet<String>, Failed> {
        self.words(
            "SELECT table_name::text FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'",
        )
        .await
    }

    pub(super) async fn applied(&mut self) -> Result<BTreeSet<String>, Failed> {
        let applied = format!("SELECT version::text FROM {MIGRATIONS}");
        self.words(&applied).await
    }

    async fn words(&mut self, sql: &str) -> Result<BTreeSet<String>, Failed> {
        let rows = query(sql).fetch_all(&mut self.connection).await?;
        let words: Result<_, sqlx::Error> = rows.iter().map(|row| row.try_get(0)).collect();
        Ok(words?)
    }

    pub(super) async fn columns(
        &mut self,
        table: &str,
    ) -> Result<BTreeMap<String, Option<Kind>>, Failed> {
        let columns = "SELECT column_name::text, data_type::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1";
        let found = query(columns).bind(table).fetch_all(&mut self.connection);
        let column = |row: &PgRow| Ok((row.try_get(0)?, Kind::of_postgres(row.try_get(1)?)));
        let columns: Result<_, sqlx::Error> = found.await?.iter().map(column).collect();
        Ok(columns?)
    }

    pub(super) async fn count(&mut self, table: &Table) -> Result<u64, Failed> {
        let count = format!("SELECT count(*) FROM {}", quoted(&table.name));
        let row = query(&count).fetch_one(&mut self.connection).await?;
        Ok(row.try_get::<i64, _>(0)?.unsigned_abs())
    }

    pub(super) async fn page(
        &mut self,
        table: &Table,
        behind: Option<&[Value]>,
    ) -> Result<Vec<Row>, Failed> {
        let sql = table.select(behind.is_some(), |place| format!("${place}"));
        let mut query = query(&sql);
        for value in behind.unwrap_or_default() {
            query = bind(query, value);
        }
        let rows = query.fetch_all(&mut self.connection).await?;
        let page: Result<_, sqlx::Error> = rows.iter().map(|row| read_row(table, row)).collect();
        Ok(page?)
    }

    /// Marks the schema as half of a move, and takes out what the migrations put in.
    pub(super) async fn begin(&mut self, plan: &Plan, from: &str) -> Result<(), Failed> {
        let mut unit = self.connection.begin().await?;
        let mark = format!("CREATE TABLE {MARK} (name varchar PRIMARY KEY, reached text NOT NULL)");
        query(&mark).execute(&mut *unit).await?;
        let note = format!("INSERT INTO {MARK} VALUES ('', $1)");
        query(&note).bind(from).execute(&mut *unit).await?;
        for table in plan.tables.iter().rev() {
            let empty = format!("DELETE FROM {}", quoted(&table.name));
            query(&empty).execute(&mut *unit).await?;
        }
        Ok(unit.commit().await?)
    }

    pub(super) async fn marked(&mut self) -> Result<Marked, Failed> {
        let marks = format!("SELECT name::text, reached FROM {MARK}");
        let rows = query(&marks).fetch_all(&mut self.connection).await?;
        let mark = |row: &PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
        let marks: Result<_, sqlx::Error> = rows.iter().map(mark).collect();
        Ok(marks?)
    }

    /// One page, and how far it reaches, in one commit.
    pub(super) async fn put(
        &mut self,
        table: &Table,
        page: &[Row],
        last: &[Value],
    ) -> Result<(), Failed> {
        let mut unit = self.connection.begin().await?;
        let lists = table.columns.iter().enumerate();
        let lists = lists.map(|(place, (_, kind))| format!("${}::{}[]", place + 1, array(*kind)));
        let insert = format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({})",
            quoted(&table.name),
            table.column_names(),
            lists.collect::<Vec<_>>().join(", ")
        );
        let mut filled = query(&insert);
        for (place, (_, kind)) in table.columns.iter().enumerate() {
            filled = bind_column(filled, *kind, page, place);
        }
        filled.execute(&mut *unit).await?;
        let mark = format!(
            "INSERT INTO {MARK} VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET reached = excluded.reached"
        );
        let mark = query(&mark).bind(&*table.name).bind(key_to_text(last));
        mark.execute(&mut *unit).await?;
        Ok(unit.commit().await?)
    }

    /// Lets sequences go on behind the copied rows, and takes the mark off: from
    /// here on it is a schema like any other.
    pub(super) async fn finish(&mut self) -> Result<(), Failed> {
        let mut unit = self.connection.begin().await?;
        let sequences = query(SEQUENCES).fetch_all(&mut *unit).await?;
        for row in &sequences {
            let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let (column, table) = (quoted(&column), quoted(&table));
            let set = format!(
                "SELECT setval($1::text::regclass, greatest(max({column}), 1), max({column}) IS NOT NULL) FROM {table}"
            );
            let sequence: String = row.try_get(2)?;
            query(&set).bind(sequence).execute(&mut *unit).await?;
        }
        let unmark = format!("DROP TABLE {MARK}");
        query(&unmark).execute(&mut *unit).await?;
        Ok(unit.commit().await?)
    }

    pub(super) async fn close(mut self) {
        // At once, whenever the server notices that the connection has ended.
        let free = query("SELECT pg_advisory_unlock_all()");
        drop(free.execute(&mut self.connection).await);
        // Whatever comes of a goodbye, the connection ends here.
        drop(self.connection.close().await);
    }
}

/// Columns that number themselves: those that own a sequence (or are made of one),
/// and those whose default draws from one.
const SEQUENCES: &str = "SELECT t.relname::text, a.attname::text, s.oid::regclass::text \
     FROM pg_depend d \
     JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
     JOIN pg_class t ON t.oid = d.refobjid \
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid \
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass \
       AND d.deptype IN ('a', 'i') AND t.relnamespace = current_schema()::regnamespace \
     UNION \
     SELECT t.relname::text, a.attname::text, s.oid::regclass::text \
     FROM pg_attrdef f \
     JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid \
       AND d.refclassid = 'pg_class'::regclass \
     JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' \
     JOIN pg_class t ON t.oid = f.adrelid \
     JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum \
     WHERE t.relnamespace = current_schema()::regnamespace";

type Asked<'q> = Query<'q, Postgres, PgArguments>;

fn query<'q>(sql: &str) -> Asked<'q> {
    sqlx::query(AssertSqlSafe(sql.to_owned()))
}

fn array(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::Integer => "bigint",
        Kind::Text => "text",
        Kind::Uuid => "uuid",
        Kind::Bytes => "bytea",
    }
}

fn bind<'q>(query: Asked<'q>, value: &Value) -> Asked<'q> {
    match value {
        Value::Null => query.bind(None::<String>),
        Value::Boolean(value) => query.bind(*value),
        Value::Integer(value) => query.bind(*value),
        Value::Text(value) => query.bind(value.clone()),
        Value::Uuid(value) => query.bind(*value),
        Value::Bytes(value) => query.bind(value.clone()),
    }
}

/// One column of a page, as an array.
fn bind_column<'q>(query: Asked<'q>, kind: Kind, page: &[Row], place: usize) -> Asked<'q> {
    let values = page.iter().map(|row| &row[place]);
    match kind {
        Kind::Boolean => query.bind(
            values
                .map(|value| match value {
                    Value::Boolean(value) => Some(*value),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        ),
        Kind::Integer => query.bind(
            values
                .map(|value| match value {
                    Value::Integer(value) => Some(*value),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        ),
        Kind::Text => query.bind(
            values
                .map(|value| match value {
                    Value::Text(value) => Some(value.clone()),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        ),
        Kind::Uuid => query.bind(
            values
                .map(|value| match value {
                    Value::Uuid(value) => Some(*value),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        ),
        Kind::Bytes => query.bind(
            values
                .map(|value| match value {
                    Value::Bytes(value) => Some(value.clone()),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        ),
    }
}

fn read_row(table: &Table, row: &PgRow) -> Result<Row, sqlx::Error> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(place, (_, kind))| {
            let value = match kind {
                Kind::Boolean => row.try_get::<Option<bool>, _>(place)?.map(Value::Boolean),
                Kind::Integer => row.try_get::<Option<i64>, _>(place)?.map(Value::Integer),
                Kind::Text => row.try_get::<Option<String>, _>(place)?.map(Value::Text),
                Kind::Uuid => row.try_get::<Option<Uuid>, _>(place)?.map(Value::Uuid),
                Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(place)?.map(Value::Bytes),
            };
            Ok(value.unwrap_or(Value::Null))
        })
        .collect()
}
