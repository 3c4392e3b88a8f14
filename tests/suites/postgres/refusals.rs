//! Databases that cannot be used: each stops the start with a message that names
//! the setting and what to do, and shows no password.

use cleave_store::{OpenError, PostgresOptions, Store};
use cleave_tests::postgres::{self, Proxy, Server, Swap};
use cleave_tests::program::run;
use cleave_tests::stores::TempStore;
use sqlx::{Connection, PgConnection};

async fn opened(url: &str) -> OpenError {
    let opened = Store::open_postgres("bench", url, &PostgresOptions::default()).await;
    opened.err().expect("it is refused")
}

#[tokio::test]
async fn what_is_wrong_with_a_database_is_told_apart() {
    let server = postgres::shared();
    let owner = server.database().await;
    let schema = opened(&owner).await;
    assert!(
        matches!(&schema, OpenError::NoSchema { schema, .. } if schema == "cleave_bench"),
        "{schema}"
    );
    let database = opened(&owner.replace("/test_", "/other_")).await;
    assert!(
        matches!(database, OpenError::NoDatabase { .. }),
        "{database}"
    );
    let stranger = opened(&owner.replace("//owner@", "//stranger@")).await;
    assert!(matches!(stranger, OpenError::Denied { .. }), "{stranger}");
    let (_, database) = owner.rsplit_once('/').expect("it names a database");
    let unreachable = opened(&format!("postgres://owner:secret@127.0.0.1:1/{database}")).await;
    assert!(
        matches!(unreachable, OpenError::Unreachable { .. }),
        "{unreachable}"
    );
    let tls = opened(&format!("{owner}?sslmode=require")).await;
    assert!(matches!(tls, OpenError::Tls { .. }), "{tls}");
    for (url, part) in [
        ("mysql://x/y", "postgres://"),
        ("postgres://x/y?sslmod=require", "sslmod"),
        ("postgres://x/y?schema=Robert';--", "schema"),
        ("postgres://x:port/y", "port"),
    ] {
        let bad = opened(url).await;
        assert!(
            matches!(bad, OpenError::BadUrl(_)) && bad.to_string().contains(part),
            "{bad}"
        );
    }
    let role = format!("guest_{}", database.trim_start_matches("test_"));
    let guest = format!("CREATE ROLE {role} LOGIN; CREATE SCHEMA cleave_bench");
    postgres::run(&owner, &guest).await;
    let rights = opened(&owner.replace("//owner@", &format!("//{role}@"))).await;
    assert!(
        matches!(rights, OpenError::NoRights { right: "use", .. }),
        "{rights}"
    );
    let standby = opened(&format!(
        "{owner}?options[default_transaction_read_only]=on"
    ))
    .await;
    assert!(matches!(standby, OpenError::ReadOnly { .. }), "{standby}");
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused() {
    let url = postgres::shared().schema().await;
    let proxy = Proxy::before(&url).await;
    let mut connection = PgConnection::connect(&proxy.url).await.expect("connects");
    let asked = "SELECT current_setting('server_version_num')::bigint";
    let from = sqlx::query_scalar(asked).fetch_one(&mut connection).await;
    // What a server of an older release would say.
    proxy.swap(Swap {
        from: from.expect("it says"),
        to: 140_012,
    });
    let refused = opened(&proxy.url).await;
    assert!(matches!(refused, OpenError::TooOld { .. }), "{refused}");
    assert!(refused.to_string().contains("15"), "{refused}");
}

#[tokio::test]
async fn a_role_that_may_not_make_tables_is_told_what_it_lacks() {
    let server = postgres::shared();
    let owner = server.database().await;
    let (_, database) = owner.rsplit_once('/').expect("it names a database");
    let role = format!("reader_{}", database.trim_start_matches("test_"));
    let reader = format!(
        "CREATE ROLE {role} LOGIN; CREATE SCHEMA cleave_bench; GRANT USAGE ON SCHEMA cleave_bench TO {role}"
    );
    postgres::run(&owner, &reader).await;
    let url = owner.replace("//owner@", &format!("//{role}@"));
    let store = Store::open_postgres("bench", &url, &PostgresOptions::default()).await;
    let refused = store
        .expect("opens")
        .migrate::<cleave_migrations::user::Migrator>()
        .await;
    let refused = refused.expect_err("it may not");
    assert!(
        matches!(
            refused,
            OpenError::NoRights {
                right: "create tables in",
                ..
            }
        ),
        "{refused}"
    );
}

/// Everybody but the owner shows a password.
const PASSWORDS: &str = "\
local all all trust
host all owner 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
";

#[tokio::test]
async fn a_wrong_password_is_told_without_being_shown() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let open_to_all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open_to_all).expect("it is ours");
    let rules = folder.path().join("pg_hba.conf");
    std::fs::write(&rules, PASSWORDS).expect("written");
    let server = Server::start(&format!("-c hba_file={}", rules.display()));
    let schema = "CREATE ROLE clerk LOGIN PASSWORD 'right-secret'; CREATE SCHEMA cleave_bench AUTHORIZATION clerk";
    server.run(schema).await;
    let with = |password: &str| {
        let user = format!("//clerk:{password}@");
        server.url().replace("//owner@", &user)
    };
    let refused = opened(&with("wrong-secret")).await;
    assert!(
        matches!(&refused, OpenError::Denied { user, reason, .. }
            if user == "clerk" && reason.contains("password authentication failed")),
        "{refused}"
    );
    assert!(!refused.to_string().contains("secret"), "{refused}");
    let right = with("right-secret");
    let store = Store::open_postgres("bench", &right, &PostgresOptions::default()).await;
    store.expect("it is let in").close().await;
}

#[tokio::test]
async fn a_role_that_may_not_change_every_table_is_told_so_at_the_start() {
    let server = postgres::shared();
    let owner = server.database().await;
    let (_, database) = owner.rsplit_once('/').expect("it names a database");
    let role = format!("half_{}", database.trim_start_matches("test_"));
    let made = format!(
        "CREATE ROLE {role} LOGIN; CREATE SCHEMA cleave_bench; \
         GRANT USAGE, CREATE ON SCHEMA cleave_bench TO {role}; \
         CREATE TABLE cleave_bench.thing (n bigint); \
         CREATE TABLE cleave_bench.seaql_migrations (version text)"
    );
    postgres::run(&owner, &made).await;
    let url = owner.replace("//owner@", &format!("//{role}@"));
    for granted in ["", "SELECT", "INSERT", "UPDATE"] {
        if !granted.is_empty() {
            let more = format!("GRANT {granted} ON cleave_bench.thing TO {role}");
            postgres::run(&owner, &more).await;
        }
        let refused = opened(&url).await;
        assert!(
            matches!(&refused, OpenError::NoRights { right, .. } if right.contains("every table")),
            "{granted}: {refused}"
        );
        assert!(refused.to_string().contains("cleave migrate --grant"));
    }
    let rest = format!(
        "GRANT DELETE ON cleave_bench.thing TO {role}; \
         GRANT SELECT ON cleave_bench.seaql_migrations TO {role}"
    );
    postgres::run(&owner, &rest).await;
    let store = Store::open_postgres("bench", &url, &PostgresOptions::default()).await;
    store.expect("it may").close().await;
}

#[tokio::test]
async fn a_schema_that_is_up_to_date_needs_no_role_that_may_make_tables() {
    use cleave_migrations::user::Migrator;
    let server = postgres::shared();
    let owner = server.database().await;
    let (_, database) = owner.rsplit_once('/').expect("it names a database");
    let role = format!("worker_{}", database.trim_start_matches("test_"));
    let made = format!("CREATE ROLE {role} LOGIN; CREATE SCHEMA cleave_test");
    postgres::run(&owner, &made).await;
    let url = owner.replace("//owner@", &format!("//{role}@"));
    let granted = format!("GRANT USAGE ON SCHEMA cleave_test TO {role}");
    postgres::run(&owner, &granted).await;
    let early = Store::open_postgres("test", &url, &PostgresOptions::default()).await;
    let behind = early.expect("opens").verify::<Migrator>().await;
    let behind = behind.expect_err("nothing is there").to_string();
    assert!(
        behind.contains("is behind (it lacks the migration "),
        "{behind}"
    );
    assert!(behind.contains("run `cleave migrate`"), "{behind}");

    let migrated = TempStore::at::<Migrator>(&owner).await;
    let granted = format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA cleave_test TO {role}; \
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA cleave_test TO {role}"
    );
    postgres::run(&owner, &granted).await;
    let store = Store::open_postgres("test", &url, &PostgresOptions::default()).await;
    let store = store.expect("opens");
    store.verify::<Migrator>().await.expect("it fits");
    store
        .migrate::<Migrator>()
        .await
        .expect("nothing is missing");
    store.close().await;
    migrated.store.close().await;
}

#[tokio::test]
async fn a_migration_does_not_wait_for_ever_for_somebody_elses_lock() {
    use sqlx::Executor;
    let url = postgres::shared().schema().await;
    let (server, schema) = url.split_once("?schema=").expect("it names a schema");
    let options = PostgresOptions {
        lock_timeout: std::time::Duration::from_millis(10),
        ..PostgresOptions::default()
    };
    let store = Store::open_postgres("user", &url, &options).await;
    let store = store.expect("opens");
    let mut other = PgConnection::connect(server).await.expect("connects");
    let hold = sqlx::query("SELECT pg_advisory_lock(hashtext('cleave migrate'), hashtext($1))");
    let held = other.execute(hold.bind(schema)).await;
    held.expect("held");
    let late = store.migrate::<cleave_migrations::user::Migrator>().await;
    let late = late.expect_err("it is held").to_string();
    assert!(
        late.contains("another process migrates it")
            && late.contains("database.postgres.lock_timeout"),
        "{late}"
    );
    other.close().await.expect("it goes");
    let free = store.migrate::<cleave_migrations::user::Migrator>().await;
    free.expect("migrates");
    store.close().await;
}

#[tokio::test]
async fn a_server_without_a_free_connection_says_what_to_lower() {
    let owner = postgres::shared().database().await;
    let (_, database) = owner.rsplit_once('/').expect("it names a database");
    let role = format!("crowd_{}", database.trim_start_matches("test_"));
    let made = format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0");
    postgres::run(&owner, &made).await;
    let crowded = opened(&owner.replace("//owner@", &format!("//{role}@"))).await;
    assert!(matches!(crowded, OpenError::Crowded { .. }), "{crowded}");
    for part in ["database.postgres.writers", "max_connections"] {
        assert!(crowded.to_string().contains(part), "{crowded}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_and_concurrent_starts_are_not() {
    use cleave_migrations::user::Migrator;
    let url = postgres::shared().schema().await;
    let starts = (0..4).map(|_| TempStore::at::<Migrator>(&url));
    let stores = futures::future::join_all(starts).await;
    let (server, schema) = url.split_once("?schema=").expect("it names a schema");
    let newer =
        format!("INSERT INTO {schema}.seaql_migrations VALUES ('m29990101_000001_later', 1)");
    postgres::run(server, &newer).await;
    let refused = stores[0]
        .store
        .migrate::<Migrator>()
        .await
        .expect_err("it is newer");
    assert!(
        matches!(&refused, OpenError::Newer { migration, .. } if migration.contains("later")),
        "{refused}"
    );
}

#[tokio::test]
async fn the_program_names_the_setting_and_never_the_password() {
    let here = tempfile::tempdir().expect("a folder");
    let owner = postgres::shared().database().await;
    let place = owner.replace("//owner@", "//owner:kept-secret@");
    let serve = |name, url: &str| run(here.path(), &["serve", "--data-dir", "."], &[(name, url)]);
    for (name, url, setting, part) in [
        (
            "CLEAVE__DATABASE__URL",
            place.clone(),
            "database.url",
            "cleave migrate --grant",
        ),
        (
            "CLEAVE__DATABASE__PAYMENT__URL",
            place.replace("/test_", "/other_"),
            "database.payment.url",
            "does not exist",
        ),
        (
            "CLEAVE__DATABASE__USER__URL",
            place.replace("//owner:", "//nobody:"),
            "database.user.url",
            "nobody",
        ),
        (
            "CLEAVE__DATABASE__ORDER__URL",
            "postgres://owner:kept-secret@127.0.0.1:1/x".to_owned(),
            "database.order.url",
            "127.0.0.1:1",
        ),
    ] {
        let ended = serve(name, &url);
        assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
        assert!(
            ended.err.contains(setting) && ended.err.contains(part),
            "{}",
            ended.err
        );
        assert!(!ended.err.contains("kept-secret"), "{}", ended.err);
    }
}
