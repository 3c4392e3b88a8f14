//! `cleave migrate --grant`: a schema and a role for each context, which the
//! server itself keeps apart.

use std::path::Path;

use cleave_tests::postgres::{self, Server};
use cleave_tests::program::{Ended, Program, run};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

const CONTEXTS: [&str; 6] = [
    "order",
    "payment",
    "inventory",
    "user",
    "notification",
    "shipping",
];

/// Makes every context's schema and role, as the owner of a database.
fn grant(folder: &Path, owner: &str) -> Ended {
    let environment = [("CLEAVE__DATABASE__URL", owner)];
    run(folder, &["migrate", "--grant"], &environment)
}

/// Once more, it makes and prints nothing.
fn nothing_is_left_to_grant(folder: &Path, owner: &str) {
    let again = grant(folder, owner);
    assert!(
        again.status.success() && again.out.is_empty(),
        "{}{}",
        again.out,
        again.err
    );
}

/// What `--grant` printed: each context's URL.
fn printed(out: &str) -> Vec<(String, String)> {
    let pairs = out
        .lines()
        .map(|line| line.split_once('=').expect("NAME=URL"));
    pairs
        .map(|(name, url)| (name.to_owned(), url.to_owned()))
        .collect()
}

async fn code_of(connection: &mut PgConnection, sql: String) -> Option<String> {
    let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
    let error = done.err()?;
    let error = error.as_database_error().expect("the server refuses");
    error.code().map(std::borrow::Cow::into_owned)
}

#[tokio::test]
async fn each_contexts_role_is_refused_by_every_others_tables() {
    let here = tempfile::tempdir().expect("a folder");
    let owner = postgres::shared().database().await;
    let granted = grant(here.path(), &owner);
    assert!(granted.status.success(), "{}", granted.err);
    // Roles are the server's, whichever database they were made for: another
    // run of this suite may have made them.
    for (name, url) in printed(&granted.out) {
        assert!(name.starts_with("CLEAVE__DATABASE__") && url.starts_with("postgres://cleave_"));
        let password = url.split([':', '@']).nth(2).expect("a password");
        assert_eq!(password.len(), 40);
        assert!(!granted.err.contains(password));
    }
    nothing_is_left_to_grant(here.path(), &owner);

    let mut tables = Vec::new();
    let mut connection = PgConnection::connect(&owner).await.expect("connects");
    let every = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname LIKE 'cleave_%'";
    for row in connection.fetch_all(every).await.expect("listed") {
        let (schema, table): (String, String) = (row.get(0), row.get(1));
        tables.push((schema, table));
    }
    for context in CONTEXTS {
        let role = format!("cleave_{context}");
        let url = owner.replace("//owner@", &format!("//{role}@"));
        let mut connection = PgConnection::connect(&url)
            .await
            .expect("the role may log in");
        let (own, others): (Vec<_>, Vec<_>) =
            tables.iter().partition(|(schema, _)| *schema == role);
        assert!(own.len() >= 5 && others.len() >= 25, "{own:?} {others:?}");
        for (schema, table) in own {
            let read = code_of(
                &mut connection,
                format!("SELECT * FROM {schema}.{table} LIMIT 0"),
            )
            .await;
            assert_eq!(read, None, "{role} reads its own {table}");
        }
        for (schema, table) in others {
            for attempt in [
                format!("SELECT * FROM {schema}.{table}"),
                format!("DELETE FROM {schema}.{table}"),
                format!("ALTER TABLE {schema}.{table} ADD COLUMN ours bigint"),
                format!("CREATE TABLE {schema}.ours (n bigint)"),
                format!("SET ROLE {schema}"),
            ] {
                let refused = code_of(&mut connection, attempt.clone()).await;
                assert_eq!(refused.as_deref(), Some("42501"), "{role}: {attempt}");
            }
        }
    }
}

#[tokio::test]
async fn a_shop_opens_with_a_role_for_each_context_and_one_on_a_file() {
    let here = tempfile::tempdir().expect("a folder");
    let owner = postgres::shared().database().await;
    let granted = grant(here.path(), &owner);
    assert!(granted.status.success(), "{}", granted.err);
    let places: Vec<_> = CONTEXTS
        .iter()
        .filter(|context| **context != "shipping")
        .map(|context| {
            let name = format!("CLEAVE__DATABASE__{}__URL", context.to_uppercase());
            (
                name,
                owner.replace("//owner@", &format!("//cleave_{context}@")),
            )
        })
        .collect();
    let environment: Vec<_> = places
        .iter()
        .map(|(name, url)| (name.as_str(), url.as_str()))
        .collect();
    let program = Program::serve(here.path(), &[], &environment);
    let ready = reqwest::get(format!("{}/health/ready", program.url()))
        .await
        .expect("answers");
    assert!(ready.status().is_success());
    assert!(here.path().join("shipping.db").exists() && !here.path().join("order.db").exists());
    let (status, log) = program.stop();
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn an_owner_who_is_no_superuser_makes_the_roles() {
    let here = tempfile::tempdir().expect("a folder");
    // Roles of other tests would be another owner's.
    let server = Server::start("");
    server.run("CREATE ROLE chief LOGIN CREATEROLE").await;
    let denied = grant(here.path(), &server.url().replace("//owner@", "//chief@"));
    assert!(!denied.status.success(), "{}", denied.err);
    assert!(denied.err.contains("may not"), "{}", denied.err);
    server.run("CREATE DATABASE shop OWNER chief").await;
    let (place, _) = server.url().rsplit_once('/').expect("it names a database");
    let chief = format!("{place}/shop").replace("//owner@", "//chief@");
    let granted = grant(here.path(), &chief);
    assert!(granted.status.success(), "{}", granted.err);
    let urls = printed(&granted.out);
    assert_eq!(urls.len(), CONTEXTS.len());
    for (_, url) in urls {
        let mut connection = PgConnection::connect(&url).await.expect("it may log in");
        let own = "SELECT count(*) FROM pg_tables WHERE tableowner = current_user";
        let own = connection.fetch_one(own).await.expect("counted");
        assert!(own.get::<i64, _>(0) >= 5, "{url}");
    }
    nothing_is_left_to_grant(here.path(), &chief);
}

async fn schemas_of(url: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.expect("connects");
    let ask = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'cleave_%' ORDER BY 1";
    let rows = connection.fetch_all(ask).await.expect("listed");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_database_gets_the_contexts_that_are_placed_there_and_are_named() {
    let here = tempfile::tempdir().expect("a folder");
    let server = postgres::shared();
    let (shop, pay) = (server.database().await, server.database().await);
    let grant = |url: &str, words: &[&str], own: Option<&str>| {
        let mut environment = vec![("CLEAVE__DATABASE__URL", url)];
        environment.extend(own.map(|own| ("CLEAVE__DATABASE__PAYMENT__URL", own)));
        let words = [&["migrate", "--grant"], words].concat();
        run(here.path(), &words, &environment)
    };
    let named = grant(&pay, &["--only", "payment,user"], None);
    assert!(named.status.success(), "{}", named.err);
    assert_eq!(schemas_of(&pay).await, ["cleave_payment", "cleave_user"]);

    let own = pay.replace("//owner@", "//cleave_payment@");
    let placed = grant(&shop, &[], Some(&own));
    assert!(placed.status.success(), "{}", placed.err);
    assert!(placed.err.contains("payment: left out"), "{}", placed.err);
    let made = schemas_of(&shop).await;
    assert_eq!(made.len(), CONTEXTS.len() - 1, "{made:?}");
    assert!(!made.contains(&"cleave_payment".to_owned()), "{made:?}");

    for (words, part) in [
        (["--only", "payment"], "names another database"),
        (["--only", "stock"], "there is no context `stock`"),
    ] {
        let refused = grant(&shop, &words, Some(&own));
        assert_eq!(refused.status.code(), Some(2), "{}", refused.err);
        assert!(refused.err.contains(part), "{}", refused.err);
    }
}
