//! What the statements of one pass cost the Postgres server, as its extension
//! `pg_stat_statements` counts them.

use cleave_tests::postgres::Server;
use sqlx::{Connection, PgConnection, Row};

/// For the server's command line.
pub(crate) const COUNTED: &str = "-c shared_preload_libraries=pg_stat_statements";

/// So many are shown.
const SHOWN: usize = 40;

/// The same text in several schemas is one line; time is the server's from the
/// statement to its end, waits for locks and the disk among it.
const COSTS: &str = "SELECT regexp_replace(query, '\\s+', ' ', 'g') AS statement, \
     sum(calls)::float8 AS calls, sum(rows)::float8 AS rows, \
     sum(total_exec_time)::float8 * 1000 AS micros \
     FROM pg_stat_statements GROUP BY 1 ORDER BY micros DESC";

/// Counts from here on.
pub(crate) async fn reset(server: &Server) {
    server
        .run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset()")
        .await;
}

/// What was counted, for each of so many orders, the dearest first.
pub(crate) async fn print(server: &Server, orders: u64) {
    let mut session = PgConnection::connect(server.url()).await.expect("connects");
    let all = sqlx::query(COSTS).fetch_all(&mut session).await;
    let all = all.expect("statements");
    let each = |row: &sqlx::postgres::PgRow, name: &str| row.get::<f64, _>(name) / orders as f64;
    let total = |name: &str| all.iter().map(|row| each(row, name)).sum::<f64>();
    println!("    statements an order, rows, µs in the server");
    println!(
        "    {:>7.2} {:>7.2} {:>7.1}  all",
        total("calls"),
        total("rows"),
        total("micros")
    );
    for row in all.iter().take(SHOWN) {
        let text: String = row
            .get::<String, _>("statement")
            .chars()
            .take(110)
            .collect();
        println!(
            "    {:>7.2} {:>7.2} {:>7.1}  {text}",
            each(row, "calls"),
            each(row, "rows"),
            each(row, "micros")
        );
    }
}
