//! Changes of single rows, which units that share a transaction make together.

use std::sync::LazyLock;

use cleave_store::{Change, PostgresOptions, Store, Tx, Unit, UnitError};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement, Value};
use uuid::Uuid;

use super::store::bench;

const TABLE: &str = "CREATE TABLE part (id uuid PRIMARY KEY, state text NOT NULL, size bigint, \
     sold boolean NOT NULL, weight double precision)";

static INSERT: LazyLock<Change> =
    LazyLock::new(|| Change::insert("part", "id, state, size, sold", "ON CONFLICT DO NOTHING"));

static MOVE: LazyLock<Change> =
    LazyLock::new(|| Change::update("part", 3, "state = $1", ("id", 2), "state = $3"));

static SELL: LazyLock<Change> =
    LazyLock::new(|| Change::update("part", 1, "sold = true", ("id", 1), ""));

static WEIGH: LazyLock<Change> =
    LazyLock::new(|| Change::update("part", 2, "weight = $1", ("id", 2), ""));

#[derive(Debug, PartialEq, FromQueryResult)]
struct Part {
    state: String,
    size: Option<i64>,
    sold: bool,
    weight: Option<f64>,
}

fn part(state: &str) -> Part {
    Part {
        state: state.to_owned(),
        size: None,
        sold: false,
        weight: None,
    }
}

/// What a unit says that does not want to be kept.
#[derive(Debug, PartialEq, Eq)]
struct No;

/// A store with one writer, so that units that come together share a transaction.
async fn with_parts() -> Store {
    let options = PostgresOptions {
        writers: 1,
        ..PostgresOptions::default()
    };
    let (store, _url) = bench(options).await;
    let made: Unit<()> = store
        .write(async |tx: &Tx| Ok(tx.execute_unprepared(TABLE).await.map(drop)?))
        .await;
    made.expect("made");
    store
}

fn ids(count: usize) -> Vec<Uuid> {
    (0..count).map(|_| Uuid::now_v7()).collect()
}

async fn insert(tx: &Tx, id: Uuid, size: Option<i64>) -> Result<bool, DbErr> {
    let values: [Value; 4] = [id.into(), "new".into(), size.into(), false.into()];
    INSERT.run(tx, values).await
}

async fn shift(tx: &Tx, id: Uuid, from: &str, to: &str) -> Result<bool, DbErr> {
    let values: [Value; 3] = [to.into(), id.into(), from.into()];
    MOVE.run(tx, values).await
}

async fn find(tx: &Tx, id: Uuid) -> Result<Option<Part>, DbErr> {
    let sql = "SELECT state, size, sold, weight FROM part WHERE id = $1";
    let find = Statement::from_sql_and_values(tx.get_database_backend(), sql, [id.into()]);
    let row = tx.query_one_raw(find).await?;
    row.map(|row| Part::from_query_result(&row, "")).transpose()
}

async fn kept(store: &Store, id: Uuid) -> Option<Part> {
    let kept: Unit<_> = store.read(async move |tx| Ok(find(tx, id).await?)).await;
    kept.expect("read")
}

/// Inserts these, together; of what size is said by the last byte of each.
async fn insert_all(store: &Store, ids: &[Uuid]) -> Vec<bool> {
    let units = ids.iter().map(|id| {
        let id = *id;
        store.write(async move |tx| -> Unit<bool> { Ok(insert(tx, id, size(id)).await?) })
    });
    let outcomes = join_all(units).await;
    outcomes
        .into_iter()
        .map(|outcome| outcome.expect("kept"))
        .collect()
}

fn size(id: Uuid) -> Option<i64> {
    let last = i64::from(id.as_bytes()[15]);
    (last % 2 == 0).then_some(last)
}

#[tokio::test]
async fn alike_changes_of_many_units_are_made_by_few_statements() {
    let store = with_parts().await;
    let ids = ids(40);
    let before = store.write_stats().statements;
    assert_eq!(insert_all(&store, &ids).await, [true; 40]);
    assert!(store.write_stats().statements - before < 40);
    for id in ids {
        let sized = Part {
            size: size(id),
            ..part("new")
        };
        assert_eq!(kept(&store, id).await, Some(sized));
    }
}

#[tokio::test]
async fn each_unit_is_told_whether_its_row_was_changed() {
    let store = with_parts().await;
    let ids = ids(40);
    insert_all(&store, &ids).await;
    let units = ids.iter().zip(0..).map(|(id, number)| {
        let id = *id;
        let from = if number % 8 == 3 { "other" } else { "new" };
        store.write(async move |tx| -> Unit<bool, No> {
            if shift(tx, id, from, "moved").await? {
                return Ok(SELL.run(tx, [id.into()]).await?);
            }
            Err(UnitError::Refused(No))
        })
    });
    let outcomes = join_all(units).await;
    for ((outcome, id), number) in outcomes.into_iter().zip(ids).zip(0..) {
        if number % 8 == 3 {
            assert!(matches!(outcome, Err(UnitError::Refused(No))), "{number}");
            assert_eq!(kept(&store, id).await.expect("there").state, "new");
        } else {
            assert!(outcome.expect("kept"), "{number}");
            let kept = kept(&store, id).await.expect("there");
            assert_eq!((&*kept.state, kept.sold), ("moved", true), "{number}");
        }
    }
}

#[tokio::test]
async fn one_of_many_that_insert_the_same_row_does() {
    let store = with_parts().await;
    let id = Uuid::now_v7();
    let inserted = insert_all(&store, &[id; 20]).await;
    assert_eq!(inserted.iter().filter(|inserted| **inserted).count(), 1);
}

#[tokio::test]
async fn changes_of_one_row_are_made_in_their_order() {
    let store = with_parts().await;
    let id = Uuid::now_v7();
    insert_all(&store, &[id]).await;
    let states: Vec<String> = std::iter::once("new".to_owned())
        .chain((1..=20).map(|step| step.to_string()))
        .collect();
    let units = states.windows(2).map(|pair| {
        let [from, to] = pair else { unreachable!() };
        let (from, to) = (from.clone(), to.clone());
        store.write(async move |tx| -> Unit<bool> { Ok(shift(tx, id, &from, &to).await?) })
    });
    let moved = join_all(units).await;
    for (step, moved) in moved.into_iter().enumerate() {
        assert!(moved.expect("kept"), "{step}");
    }
    assert_eq!(
        kept(&store, id).await,
        Some(part("20")).map(|part| Part {
            size: size(id),
            ..part
        })
    );
}

#[tokio::test]
async fn a_unit_sees_what_it_has_changed_and_not_what_was_undone() {
    let store = with_parts().await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let seen: Unit<_> = store
        .write(async move |tx: &Tx| {
            insert(tx, one, None).await?;
            let new = find(tx, one).await?;
            shift(tx, one, "new", "moved").await?;
            let undone = tx.attempt(async |tx| -> Unit<(), No> {
                insert(tx, other, None).await?;
                shift(tx, one, "moved", "lost").await?;
                Err(UnitError::Refused(No))
            });
            assert!(undone.await?.is_err());
            shift(tx, one, "moved", "kept").await?;
            Ok((new, find(tx, one).await?, find(tx, other).await?))
        })
        .await;
    let seen = seen.expect("kept");
    assert_eq!(seen, (Some(part("new")), Some(part("kept")), None));
    assert_eq!(kept(&store, one).await, Some(part("kept")));
}

#[tokio::test]
async fn a_value_that_no_list_holds_is_written_by_itself() {
    let store = with_parts().await;
    let id = Uuid::now_v7();
    insert_all(&store, &[id]).await;
    let weighed: Unit<bool> = store
        .write(async move |tx| Ok(WEIGH.run(tx, [0.5.into(), id.into()]).await?))
        .await;
    assert!(weighed.expect("kept"));
    assert_eq!(kept(&store, id).await.expect("there").weight, Some(0.5));
}
