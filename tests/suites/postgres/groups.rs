//! Units that share a transaction, and rows that are written just before its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cleave_store::{Journal, PostgresOptions, Store, StoreError, Tx, Unit, UnitError};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::store::{add, bench, count, error, open};

/// What a unit says that does not want to be kept.
#[derive(Debug, PartialEq, Eq)]
struct No;

static NOTES: Journal = Journal::new("note", &["text", "size"]);

const TABLE: &str = "CREATE TABLE note (seq bigserial PRIMARY KEY, text text, size bigint)";

async fn with_notes() -> Store {
    let (store, _url) = bench(PostgresOptions::default()).await;
    let made: Unit<()> = store
        .write(async |tx: &Tx| Ok(tx.execute_unprepared(TABLE).await.map(drop)?))
        .await;
    made.expect("made");
    store
}

async fn note(tx: &Tx, text: &str) -> Result<(), DbErr> {
    let number = NOTES.append(tx, vec![text.into(), 1_i64.into()]).await?;
    assert_eq!(number, None, "nobody knows it before the commit");
    Ok(())
}

async fn notes(tx: &Tx) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT text FROM note ORDER BY seq";
    let rows = tx.query_all_raw(Statement::from_string(tx.get_database_backend(), sql));
    rows.await?
        .iter()
        .map(|row| row.try_get("", "text"))
        .collect()
}

async fn kept_notes(store: &Store) -> Vec<String> {
    let kept: Unit<_> = store.read(async |tx: &Tx| Ok(notes(tx).await?)).await;
    kept.expect("read")
}

#[tokio::test]
async fn units_that_come_together_share_commits() {
    for (group_limit, shares) in [(64, true), (1, false)] {
        let options = PostgresOptions {
            writers: 1,
            group_limit,
            ..PostgresOptions::default()
        };
        let (store, _url) = bench(options).await;
        let before = store.write_stats();
        let units =
            (0..40).map(|_| store.write(async |tx: &Tx| -> Unit<()> { Ok(add(tx, "a").await?) }));
        assert!(join_all(units).await.iter().all(Result::is_ok));
        let after = store.write_stats();
        assert_eq!(after.units - before.units, 40);
        assert_eq!(after.commits - before.commits < 40, shares);
        assert_eq!(count(&store, "a").await, 40);
    }
}

/// How a unit of a mixed group ends.
async fn unit(number: u32, tx: &Tx) -> Unit<u32, No> {
    let broken = "INSERT INTO thing VALUES ('a', 0)";
    if number % 5 == 1 {
        // Has written nothing, and so costs nobody anything.
        return Err(UnitError::Refused(No));
    }
    add(tx, "a").await?;
    note(tx, "added").await?;
    match number % 5 {
        2 => Err(UnitError::Refused(No)),
        3 => Ok(tx.execute_unprepared(broken).await.map(|_| number)?),
        4 => panic!("unit {number}"),
        _ => Ok(number),
    }
}

#[tokio::test]
async fn each_unit_of_a_group_has_its_own_outcome_and_nothing_of_a_failed_one_is_left() {
    let store = with_notes().await;
    let told = Arc::new(AtomicU32::new(0));
    let units = (0..50).map(|number| {
        let told = told.clone();
        store.write(async move |tx: &Tx| {
            let told = told.clone();
            tx.after_commit(move || {
                told.fetch_add(1, Ordering::SeqCst);
            });
            unit(number, tx).await
        })
    });
    for (number, outcome) in (0..).zip(join_all(units).await) {
        match number % 5 {
            1 | 2 => assert!(matches!(outcome, Err(UnitError::Refused(No))), "{number}"),
            3 => assert!(
                matches!(error(outcome), StoreError::Database(_)),
                "{number}"
            ),
            4 => assert!(
                matches!(error(outcome), StoreError::Panicked(_)),
                "{number}"
            ),
            _ => assert_eq!(outcome.expect("kept"), number),
        }
    }
    assert_eq!(count(&store, "a").await, 10);
    assert_eq!(kept_notes(&store).await.len(), 10);
    assert_eq!(told.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn groups_that_wait_for_each_other_come_apart() {
    // The server looks for units that wait for each other after a second by itself.
    let options = PostgresOptions {
        retries: 100,
        ..PostgresOptions::default()
    };
    let (_, url) = bench(options.clone()).await;
    let url = format!("{url}&options[deadlock_timeout]=5ms");
    let here = open(&url, options.clone()).await;
    let there = open(&url, options).await;
    let pair = |store: &Store, first: &'static str, second: &'static str| {
        let store = store.clone();
        async move {
            let unit = async move |tx: &Tx| -> Unit<()> {
                add(tx, first).await?;
                Ok(add(tx, second).await?)
            };
            store.write(unit).await
        }
    };
    let one_way = (0..50).map(|_| pair(&here, "a", "b"));
    let other_way = (0..50).map(|_| pair(&there, "b", "a"));
    let (one, other) = tokio::join!(join_all(one_way), join_all(other_way));
    for outcome in one.into_iter().chain(other) {
        outcome.expect("kept");
    }
    assert_eq!(
        (count(&here, "a").await, count(&here, "b").await),
        (100, 100)
    );
}

#[tokio::test]
async fn rows_of_a_journal_are_found_by_the_unit_that_added_them() {
    let store = with_notes().await;
    let found: Unit<_> = store
        .write(async |tx: &Tx| {
            note(tx, "one").await?;
            note(tx, "two").await?;
            let undone = tx.attempt(async |tx| -> Unit<(), No> {
                note(tx, "undone").await?;
                Err(UnitError::Refused(No))
            });
            assert!(undone.await?.is_err());
            let found = notes(tx).await?;
            let kept = tx.attempt(async |tx| -> Unit<()> { Ok(note(tx, "three").await?) });
            kept.await??;
            note(tx, "four").await?;
            Ok(found)
        })
        .await;
    assert_eq!(found.expect("kept"), ["one", "two"]);
    assert_eq!(kept_notes(&store).await, ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn rows_that_do_not_fit_cost_the_unit() {
    let store = with_notes().await;
    let misfit: Unit<()> = store
        .write(async |tx: &Tx| {
            add(tx, "a").await?;
            note(tx, "one").await?;
            NOTES.append(tx, vec![1_i64.into(), 1_i64.into()]).await?;
            Ok(())
        })
        .await;
    assert!(matches!(error(misfit), StoreError::Database(_)));
    assert_eq!(count(&store, "a").await, 0);
    assert!(kept_notes(&store).await.is_empty());
}
