//! Suite: units of work and group commit over a real file.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cleave_migrations::payment::SimulatedGatewayMigrator;
use cleave_store::{
    Journal, OpenError, SqliteOptions, Store, StoreError, Tx, Unit, UnitError, is_unique_violation,
};
use sea_orm::{ConnectionTrait, Statement, Value};
use tempfile::TempDir;

struct Bench {
    store: Store,
    folder: TempDir,
}

impl Bench {
    async fn with(options: SqliteOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store =
            Store::open_sqlite("bench", folder.path().join("bench.db"), &options).expect("opens");
        let made = store
            .write(async |tx| Ok::<_, UnitError<Infallible>>(tx.execute_unprepared(SCHEMA).await?));
        made.await.expect("the table is made");
        Self { store, folder }
    }

    async fn new() -> Self {
        Self::with(SqliteOptions::default()).await
    }

    async fn names(&self) -> Vec<String> {
        let names = self.store.read(async |tx| {
            let statement = Statement::from_string(
                tx.get_database_backend(),
                "SELECT name FROM thing ORDER BY name",
            );
            let rows = tx.query_all_raw(statement).await?;
            let names = rows
                .iter()
                .map(|row| row.try_get::<String>("", "name"))
                .collect::<Result<Vec<_>, _>>()?;
            Ok::<_, UnitError<Infallible>>(names)
        });
        names.await.expect("reads")
    }
}

const SCHEMA: &str = "CREATE TABLE thing (name varchar PRIMARY KEY, body text)";

async fn insert(tx: &Tx, name: &str) -> Result<(), sea_orm::DbErr> {
    let values = [Value::from(name), Value::from("x".repeat(100))];
    let sql = "INSERT INTO thing (name, body) VALUES ($1, $2)";
    tx.execute_raw(Statement::from_sql_and_values(
        tx.get_database_backend(),
        sql,
        values,
    ))
    .await
    .map(drop)
}

#[derive(Debug, PartialEq)]
struct No;

fn add(counter: &AtomicU32, count: u32) {
    counter.fetch_add(count, Ordering::SeqCst);
}

#[tokio::test]
async fn a_committed_unit_is_there_and_a_refused_one_is_not() {
    let bench = Bench::new().await;
    let kept: Unit<u8, No> = bench
        .store
        .write(async |tx| {
            Ok({
                insert(tx, "kept").await?;
                7
            })
        })
        .await;
    assert_eq!(kept.expect("commits"), 7);
    let refused: Unit<(), No> = bench
        .store
        .write(async |tx| {
            insert(tx, "refused").await?;
            Err(UnitError::Refused(No))
        })
        .await;
    assert!(matches!(refused, Err(UnitError::Refused(No))));
    assert_eq!(bench.names().await, ["kept"]);
}

/// A unit that has begun and keeps the writer busy until it is released.
struct Holder {
    release: std::sync::mpsc::Sender<()>,
    task: tokio::task::JoinHandle<&'static str>,
}

impl Holder {
    fn hold(store: &Store) -> Self {
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = std::sync::mpsc::channel::<()>();
        let (gate, store) = (parking_lot::Mutex::new((gate, begun)), store.clone());
        let task = tokio::task::spawn(async move {
            let held: Unit<(), No> = store
                .write(async move |_tx| {
                    let (gate, begun) = &*gate.lock();
                    let _ = (begun.send(()), gate.recv());
                    Ok(())
                })
                .await;
            told(&held)
        });
        begins.recv().expect("it begins");
        Self { release, task }
    }

    async fn release(self) {
        self.release.send(()).expect("it waits");
        assert_eq!(self.task.await.expect("it ends"), "kept");
    }
}

/// Holds the writer until everything that is submitted waits behind it, as one group.
async fn gathered(
    bench: &Bench,
    submit: impl FnOnce() -> Vec<tokio::task::JoinHandle<&'static str>>,
) -> Vec<&'static str> {
    let holder = Holder::hold(&bench.store);
    let waiting = submit();
    while bench.store.waiting() < waiting.len() {
        tokio::task::yield_now().await;
    }
    holder.release().await;
    let mut ends = Vec::new();
    for task in waiting {
        ends.push(task.await.unwrap_or("cancelled"));
    }
    ends
}

fn told<T, R>(outcome: &Unit<T, R>) -> &'static str {
    match outcome {
        Ok(_) => "kept",
        Err(UnitError::Refused(_)) => "refused",
        Err(UnitError::Failed(StoreError::Panicked(_))) => "panicked",
        Err(UnitError::Failed(StoreError::Suspended)) => "suspended",
        Err(UnitError::Failed(StoreError::Full { .. })) => "full",
        Err(UnitError::Failed(StoreError::Database(_))) => "database",
        Err(UnitError::Failed(_)) => "other",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_unit_of_a_group_gets_its_own_outcome_and_leaves_nothing_when_it_fails() {
    let bench = Bench::new().await;
    let commits_before = bench.store.write_stats().commits;
    let ends = gathered(&bench, || {
        let mut tasks = Vec::new();
        for n in 0..40 {
            let store = bench.store.clone();
            tasks.push(tokio::task::spawn(async move {
                let outcome: Unit<(), No> = store
                    .write(async move |tx| {
                        insert(tx, &format!("{n:02}-first")).await?;
                        match n % 5 {
                            1 => return Err(UnitError::Refused(No)),
                            2 => panic!("a defect in unit {n}"),
                            3 => tokio::task::yield_now().await,
                            4 => insert(tx, &format!("{n:02}-first")).await?,
                            _ => {}
                        }
                        insert(tx, &format!("{n:02}-second")).await?;
                        Ok(())
                    })
                    .await;
                told(&outcome)
            }));
        }
        tasks
    })
    .await;
    for (n, end) in ends.iter().enumerate() {
        assert_eq!(
            *end,
            ["kept", "refused", "panicked", "suspended", "database"][n % 5],
            "unit {n}"
        );
    }
    let expected: Vec<String> = (0..40)
        .step_by(5)
        .flat_map(|n| [format!("{n:02}-first"), format!("{n:02}-second")])
        .collect();
    assert_eq!(bench.names().await, expected);
    assert_eq!(
        bench.store.write_stats().commits - commits_before,
        2,
        "the holder, and one group"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_changes_nothing() {
    let bench = Bench::new().await;
    gathered(&bench, || {
        (0..20)
            .map(|n| {
                let store = bench.store.clone();
                let task = tokio::task::spawn(async move {
                    let unit: Unit<(), No> = store
                        .write(async move |tx| Ok(insert(tx, &n.to_string()).await?))
                        .await;
                    told(&unit)
                });
                if n % 2 == 0 {
                    let (abort, store) = (task.abort_handle(), bench.store.clone());
                    // Only once its unit is queued, so that there is something to go away from.
                    tokio::task::spawn(async move {
                        while store.waiting() < 20 {
                            tokio::task::yield_now().await;
                        }
                        abort.abort();
                    });
                }
                task
            })
            .collect()
    })
    .await;
    bench.store.close().await;
    let closed: Unit<(), No> = bench.store.read(async |_tx| Ok(())).await;
    assert_eq!(told(&closed), "other");
    let path = bench.folder.path().join("bench.db");
    let store =
        Store::open_sqlite("bench", path, &SqliteOptions::default()).expect("the file is free");
    let bench = Bench { store, ..bench };
    assert_eq!(bench.names().await.len(), 20);
}

#[tokio::test]
async fn an_attempt_undoes_its_own_part_alone() {
    let bench = Bench::new().await;
    let told = Arc::new(AtomicU32::new(0));
    let counter = told.clone();
    let unit: Unit<(), No> = bench
        .store
        .write(async move |tx| {
            insert(tx, "before").await?;
            let part = tx.attempt(async |tx| {
                insert(tx, "part").await?;
                let counter = counter.clone();
                tx.after_commit(move || add(&counter, 100));
                Err::<(), _>(UnitError::Refused(No))
            });
            assert!(matches!(part.await?, Err(UnitError::Refused(No))));
            let counter = counter.clone();
            tx.after_commit(move || add(&counter, 1));
            insert(tx, "after").await?;
            Ok(())
        })
        .await;
    unit.expect("commits");
    assert_eq!(bench.names().await, ["after", "before"]);
    assert_eq!(
        told.load(Ordering::SeqCst),
        1,
        "what the undone part asked for did not happen"
    );
}

#[tokio::test]
async fn signals_are_raised_by_commits_only() {
    let bench = Bench::new().await;
    let raised = bench.store.on("news");
    let refused: Unit<(), No> = bench
        .store
        .write(async |tx| {
            tx.signal("news");
            Err(UnitError::Refused(No))
        })
        .await;
    refused.expect_err("refused");
    let mut wait = std::pin::pin!(raised.notified());
    assert!(futures::poll!(&mut wait).is_pending());
    let kept: Unit<(), No> = bench
        .store
        .write(async |tx| {
            tx.signal("news");
            Ok(())
        })
        .await;
    kept.expect("commits");
    wait.await;
}

/// Tells the number of the last of two rows; keeps them where it is told to.
async fn two_numbers(store: &Store, keep: bool) {
    let unit: Unit<(), No> = store
        .write(async move |tx| {
            static NUMBERED: Journal = Journal::new("numbered", &["body"]);
            let two = vec!["a".into(), "b".into()];
            tx.tell("numbers", NUMBERED.append(tx, two).await?);
            let undone = tx.attempt(async |tx| {
                tx.tell("numbers", Some(-1_i64));
                Err::<(), _>(UnitError::Refused(No))
            });
            assert!(undone.await?.is_err());
            if keep {
                Ok(())
            } else {
                Err(UnitError::Refused(No))
            }
        })
        .await;
    assert_eq!(unit.is_ok(), keep);
}

#[tokio::test]
async fn news_is_of_commits_only_and_reaches_who_follows_in_their_order() {
    let bench = Bench::new().await;
    let made = bench.store.write(async |tx| {
        let table = "CREATE TABLE numbered (seq integer PRIMARY KEY AUTOINCREMENT, body text)";
        tx.execute_unprepared(table).await?;
        Ok::<_, UnitError<No>>(())
    });
    made.await.expect("a table");
    let (told, heard) = std::sync::mpsc::channel();
    let following = bench.store.follow("numbers", move |number: Option<i64>| {
        told.send(number).expect("somebody listens");
    });
    for keep in [true, false, true] {
        two_numbers(&bench.store, keep).await;
    }
    drop(following);
    two_numbers(&bench.store, true).await;
    bench.store.close().await;
    assert_eq!(heard.iter().collect::<Vec<_>>(), [Some(2), Some(4)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_a_clear_refusal() {
    let bench = Bench::with(SqliteOptions {
        write_queue: 3,
        ..SqliteOptions::default()
    })
    .await;
    let holder = Holder::hold(&bench.store);
    let unit = |store: Store| {
        tokio::task::spawn(async move { store.write(async |_tx| Ok::<_, UnitError<No>>(())).await })
    };
    let queued: Vec<_> = (0..3).map(|_| unit(bench.store.clone())).collect();
    while bench.store.waiting() < 3 {
        tokio::task::yield_now().await;
    }
    let one_more = unit(bench.store.clone()).await.expect("runs");
    let UnitError::Failed(busy) = one_more.expect_err("no room") else {
        panic!("not refused by the unit")
    };
    assert_eq!(
        busy.to_string(),
        "the store bench is busy: 3 units of work are waiting already"
    );
    holder.release().await;
    for task in queued {
        task.await.expect("runs").expect("commits");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_file_fails_the_units_that_do_not_fit_and_no_other() {
    let bench = Bench::with(SqliteOptions {
        max_pages: 24,
        ..SqliteOptions::default()
    })
    .await;
    let ends = gathered(&bench, || {
        (0..30)
            .map(|n| {
                let store = bench.store.clone();
                tokio::task::spawn(async move {
                    let large = n % 3 == 1;
                    let unit: Unit<(), No> = store
                        .write(async move |tx| {
                            for part in 0..if large { 2000 } else { 1 } {
                                insert(tx, &format!("{n:02}-{part:04}")).await?;
                            }
                            Ok(())
                        })
                        .await;
                    told(&unit)
                })
            })
            .collect()
    })
    .await;
    for (n, end) in ends.iter().enumerate() {
        assert_eq!(*end, if n % 3 == 1 { "full" } else { "kept" }, "unit {n}");
    }
    assert_eq!(bench.names().await.len(), 20);
}

/// Neither does it do half of its work outside of any transaction.
#[tokio::test]
async fn a_unit_that_overlooks_that_there_is_no_room_is_told_so() {
    let bench = Bench::with(SqliteOptions {
        max_pages: 24,
        ..SqliteOptions::default()
    })
    .await;
    let unit: Unit<(), No> = bench
        .store
        .write(async move |tx| {
            for part in 0..2000 {
                drop(insert(tx, &format!("{part:04}")).await);
            }
            Ok(())
        })
        .await;
    assert_eq!(told(&unit), "full");
    assert_eq!(bench.names().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_ran_twice_for_its_neighbours_sake_took_effect_once() {
    let bench = Bench::new().await;
    let told = Arc::new(AtomicU32::new(0));
    for _ in 0..2 {
        let ends = gathered(&bench, || {
            let units = (0..10).map(|n| {
                let (store, told) = (bench.store.clone(), told.clone());
                tokio::task::spawn(async move {
                    let unit: Unit<(), No> = store
                        .write(async move |tx| {
                            let told = told.clone();
                            tx.after_commit(move || add(&told, 1));
                            insert(tx, &uuid::Uuid::now_v7().to_string()).await?;
                            if n == 5 {
                                return Err(UnitError::Refused(No));
                            }
                            Ok(())
                        })
                        .await;
                    self::told(&unit)
                })
            });
            units.collect()
        });
        let ends = ends.await;
        assert_eq!(ends.iter().filter(|end| **end == "kept").count(), 9);
        assert_eq!(ends[5], "refused");
    }
    assert_eq!(told.load(Ordering::SeqCst), 18);
    assert_eq!(bench.names().await.len(), 18);
}

#[tokio::test]
async fn a_broken_unique_constraint_can_be_told() {
    let bench = Bench::new().await;
    let twice: Unit<(), No> = bench
        .store
        .write(async |tx| {
            insert(tx, "one").await?;
            Ok(insert(tx, "one").await?)
        })
        .await;
    match twice.expect_err("fails") {
        UnitError::Failed(StoreError::Database(error)) => {
            assert!(is_unique_violation(&error), "{error}")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let bench = Bench::new().await;
    let written: Unit<(), No> = bench
        .store
        .read(async |tx| Ok(insert(tx, "sneaked").await?))
        .await;
    assert_eq!(told(&written), "database");
    assert!(bench.names().await.is_empty());
}

#[tokio::test]
async fn a_file_in_use_damaged_or_out_of_reach_is_said_so() {
    let bench = Bench::new().await;
    let path = bench.folder.path().join("bench.db");
    let open =
        |path: &std::path::Path| Store::open_sqlite("x", path, &SqliteOptions::default()).map(drop);
    let in_use = open(&path).expect_err("in use");
    assert!(
        in_use
            .to_string()
            .contains("in use by another process; stop it"),
        "{in_use}"
    );

    let damaged = bench.folder.path().join("damaged.db");
    std::fs::write(
        &damaged,
        "this is no database, however long one looks at it ".repeat(100),
    )
    .expect("written");
    let corrupt = open(&damaged).expect_err("corrupt");
    assert!(matches!(corrupt, OpenError::Corrupt { .. }), "{corrupt}");

    let missing = open(&bench.folder.path().join("no/such/folder.db")).expect_err("missing");
    assert!(matches!(missing, OpenError::Unusable { .. }), "{missing}");
}

#[tokio::test]
async fn a_database_newer_than_the_program_is_refused() {
    let temp = cleave_tests::stores::TempStore::open::<cleave_migrations::order::Migrator>().await;
    let later = temp.store.write(async |tx| {
        let sql = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_future', 0)";
        Ok::<_, UnitError<Infallible>>(tx.execute_unprepared(sql).await?)
    });
    later.await.expect("written");
    let refused = temp
        .store
        .migrate::<cleave_migrations::order::Migrator>()
        .await
        .expect_err("newer");
    assert!(
        refused.to_string().contains("m29990101_000001_future"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_migration_without_room_or_over_a_damaged_file_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("small.db");
    let options = SqliteOptions {
        max_pages: 8,
        ..SqliteOptions::default()
    };
    let small = Store::open_sqlite("small", &path, &options).expect("opens");
    let migrated = small.migrate::<cleave_migrations::order::Migrator>().await;
    let no_room = migrated.expect_err("no room");
    assert!(matches!(no_room, OpenError::NoRoom { .. }), "{no_room}");
    small.close().await;

    // A schema so small that opening the file looks no further than its first page.
    let temp = cleave_tests::stores::TempStore::open::<SimulatedGatewayMigrator>().await;
    temp.store.close().await;
    let path = temp.folder.path().join("test.db");
    let mut bytes = std::fs::read(&path).expect("a database");
    bytes[4096..].fill(0x5a);
    let path = folder.path().join("damaged.db");
    std::fs::write(&path, bytes).expect("written");
    let damaged = Store::open_sqlite("damaged", &path, &SqliteOptions::default()).expect("opens");
    let migrated = damaged.migrate::<SimulatedGatewayMigrator>().await;
    let corrupt = migrated.expect_err("corrupt");
    assert!(matches!(corrupt, OpenError::Corrupt { .. }), "{corrupt}");
}
