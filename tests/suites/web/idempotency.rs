//! Idempotency keys over a real store.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use cleave_migrations::order::Migrator;
use cleave_store::{Tx, Unit, UnitError};
use cleave_tests::stores::TempStore;
use cleave_vocabulary::ManualClock;
use cleave_web::{Answer, Idempotency, IdempotencyOptions, Once, Problem, Scope, Version};
use http::StatusCode;
use http_body_util::BodyExt;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};
use serde_json::json;
use tokio::task::JoinSet;

struct Bench {
    temp: TempStore,
    clock: ManualClock,
    idempotency: Idempotency,
}

const DIGEST: [u8; 32] = [1; 32];

impl Bench {
    async fn new() -> Self {
        let temp = TempStore::open::<Migrator>().await;
        let made = temp.store.write(async |tx: &Tx| -> Unit<()> {
            tx.execute_unprepared("CREATE TABLE effects (n integer NOT NULL)")
                .await?;
            Ok(())
        });
        made.await.expect("a table");
        let clock = ManualClock::default();
        let idempotency = Idempotency::new(
            temp.store.clone(),
            Arc::new(clock.clone()),
            IdempotencyOptions::default(),
        );
        Self {
            temp,
            clock,
            idempotency,
        }
    }

    /// Makes an effect, and answers with its number.
    async fn act(&self, scope: &Scope, digest: [u8; 32]) -> Result<Once, Problem> {
        let unit = async |tx: &Tx| -> Unit<Answer, Problem> {
            let n = effect(tx).await?;
            let answer = Answer::json(StatusCode::CREATED, &json!({"n": n}));
            Ok(answer.located("/effects/1").tagged(Version(n)))
        };
        self.idempotency.once(scope, digest, unit).await
    }

    async fn count(&self, table: &'static str) -> i64 {
        let query = async move |tx: &Tx| -> Unit<i64> { Ok(count(tx, table).await?) };
        self.temp.store.read(query).await.expect("a count")
    }
}

async fn effect(tx: &Tx) -> Result<i64, DbErr> {
    tx.execute_unprepared("INSERT INTO effects (n) VALUES (1)")
        .await?;
    count(tx, "effects").await
}

async fn count(tx: &Tx, table: &str) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Count {
        n: i64,
    }
    let sql = format!("SELECT COUNT(*) AS n FROM {table}");
    let statement = Statement::from_string(tx.get_database_backend(), sql);
    let row = Count::find_by_statement(statement).one(tx).await?;
    Ok(row.map_or(0, |row| row.n))
}

fn scope(key: Option<&str>) -> Scope {
    Scope {
        caller: "usr_1".into(),
        route: "POST /api/v1/effects".into(),
        key: key.map(str::to_owned),
        correlation: "first".parse().ok(),
    }
}

async fn shown(response: Response) -> (StatusCode, Vec<(String, String)>, String) {
    let (parts, body) = response.into_parts();
    let text = |value: &http::HeaderValue| value.to_str().expect("text").to_owned();
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
    let body = body.collect().await.expect("a body").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    (parts.status, headers.collect(), body)
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_makes_no_second_effect() {
    let bench = Bench::new().await;
    let scope = scope(Some("k"));
    let first = bench.act(&scope, DIGEST).await.expect("done");
    assert!(matches!(first, Once::Fresh(_)));
    let second = bench.act(&scope, DIGEST).await.expect("replayed");
    let (status, mut headers, body) = shown(second.into_response()).await;
    assert_eq!(
        headers.pop(),
        Some(("idempotency-replayed".into(), "true".into()))
    );
    assert_eq!((status, headers, body), shown(first.into_response()).await);
    assert_eq!(bench.count("effects").await, 1);
}

#[tokio::test]
async fn the_record_costs_one_statement() {
    let bench = Bench::new().await;
    let without = bench.temp.store.write_stats().statements;
    bench.act(&scope(None), DIGEST).await.expect("done");
    let between = bench.temp.store.write_stats().statements;
    bench.act(&scope(Some("k")), DIGEST).await.expect("done");
    let with = bench.temp.store.write_stats().statements;
    assert_eq!(with - between, between - without + 1);
}

#[tokio::test]
async fn without_a_key_each_request_acts() {
    let bench = Bench::new().await;
    for _ in 0..2 {
        let done = bench.act(&scope(None), DIGEST).await.expect("done");
        assert!(matches!(done, Once::Fresh(_)));
    }
    assert_eq!(bench.count("effects").await, 2);
    assert_eq!(bench.count("idempotency").await, 0);
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let bench = Bench::new().await;
    let scope = scope(Some("k"));
    bench.act(&scope, DIGEST).await.expect("done");
    let reused = bench.act(&scope, [2; 32]).await.expect_err("reused");
    assert_eq!(reused.code, "idempotency_key_reused");
    let reused = bench.idempotency.recorded(&scope, [2; 32]).await;
    assert_eq!(reused.expect_err("reused").code, "idempotency_key_reused");
    assert_eq!(bench.count("effects").await, 1);
}

#[tokio::test]
async fn a_refusal_is_undone_recorded_and_replayed_byte_for_byte() {
    let bench = Bench::new().await;
    let scope = scope(Some("k"));
    let refuse = async || {
        let unit = async |tx: &Tx| -> Unit<Answer, Problem> {
            effect(tx).await?;
            Err(UnitError::Refused(Problem::conflict(
                "sold_out",
                "None left.",
            )))
        };
        bench.idempotency.once(&scope, DIGEST, unit).await
    };
    let first = refuse().await.expect_err("refused");
    assert_eq!(first.correlation_id.as_deref(), Some("first"));
    assert_eq!(bench.count("effects").await, 0);
    for replay in [refuse().await, bench.act(&scope, DIGEST).await] {
        let replay = replay.expect("replayed");
        assert!(matches!(replay, Once::Replayed(_)));
        let (status, headers, body) = shown(replay.into_response()).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(headers[0].1, "application/problem+json");
        assert_eq!(body, serde_json::to_string(&first).expect("json"));
    }
    assert_eq!(bench.count("effects").await, 0);
}

#[tokio::test]
async fn a_failure_is_not_an_outcome() {
    let bench = Bench::new().await;
    let scope = scope(Some("k"));
    let failures: [fn() -> UnitError<Problem>; 3] = [
        || DbErr::Custom("the disk is on fire".into()).into(),
        || UnitError::Refused(Problem::unavailable(&"away")),
        || UnitError::Refused(Problem::new(StatusCode::TOO_MANY_REQUESTS, "slow_down", "")),
    ];
    for failure in failures {
        let unit = async move |tx: &Tx| -> Unit<Answer, Problem> {
            effect(tx).await?;
            Err(failure())
        };
        let failed = bench.idempotency.once(&scope, DIGEST, unit).await;
        assert!(failed.is_err());
    }
    let done = bench.act(&scope, DIGEST).await.expect("done");
    assert!(matches!(done, Once::Fresh(_)));
    assert_eq!(bench.count("effects").await, 1);
}

#[tokio::test]
async fn while_the_first_is_in_flight_a_second_is_told_so() {
    let bench = Bench::new().await;
    let scope = scope(Some("k"));
    let (entered, wait_entered) = std::sync::mpsc::channel();
    let (leave, wait_leave) = std::sync::mpsc::channel::<()>();
    let wait_leave = parking_lot::Mutex::new(wait_leave);
    let mut tasks = JoinSet::new();
    {
        let (idempotency, scope) = (bench.idempotency.clone(), scope.clone());
        tasks.spawn(async move {
            let unit = async move |tx: &Tx| -> Unit<Answer, Problem> {
                effect(tx).await?;
                // The unit holds its thread until the test has looked.
                entered.send(()).ok();
                wait_leave.lock().recv().ok();
                Ok(Answer::empty(StatusCode::NO_CONTENT))
            };
            idempotency.once(&scope, DIGEST, unit).await
        });
    }
    tokio::task::spawn_blocking(move || wait_entered.recv())
        .await
        .expect("joined")
        .expect("entered");
    let second = bench.act(&scope, DIGEST).await.expect_err("in use");
    assert_eq!(second.code, "idempotency_key_in_use");
    let looked = bench.idempotency.recorded(&scope, DIGEST).await;
    assert_eq!(looked.expect_err("in use").code, "idempotency_key_in_use");
    leave.send(()).expect("waiting");
    let first = tasks.join_next().await.expect("one").expect("joined");
    assert!(matches!(first, Ok(Once::Fresh(_))));
    let replay = bench.act(&scope, DIGEST).await.expect("replayed");
    assert!(matches!(replay, Once::Replayed(_)));
}

#[tokio::test]
async fn another_process_with_the_key_wins_or_loses_whole() {
    let bench = Bench::new().await;
    let other = Idempotency::new(
        bench.temp.store.clone(),
        Arc::new(bench.clock.clone()),
        IdempotencyOptions::default(),
    );
    let scope = scope(Some("k"));
    let unit = async |tx: &Tx| -> Unit<Answer, Problem> {
        let n = effect(tx).await?;
        Ok(Answer::json(StatusCode::OK, &n))
    };
    let (one, two) = tokio::join!(bench.act(&scope, DIGEST), other.once(&scope, DIGEST, unit),);
    let fresh = [one.expect("answered"), two.expect("answered")]
        .into_iter()
        .filter(|once| matches!(once, Once::Fresh(_)));
    assert_eq!(fresh.count(), 1);
    assert_eq!(bench.count("effects").await, 1);
}

#[tokio::test]
async fn outcomes_are_kept_a_day() {
    let bench = Bench::new().await;
    let scope = scope(Some("k"));
    bench.act(&scope, DIGEST).await.expect("done");
    bench.clock.advance(Duration::from_hours(23));
    assert_eq!(bench.idempotency.sweep().await.expect("swept"), 0);
    let recorded = bench.idempotency.recorded(&scope, DIGEST).await;
    assert!(recorded.expect("looked").is_some());
    bench.clock.advance(Duration::from_mins(61));
    let forgotten = bench.idempotency.recorded(&scope, DIGEST).await;
    assert!(forgotten.expect("looked").is_none());
    bench.act(&scope, DIGEST).await.expect("done anew");
    assert_eq!(bench.count("effects").await, 2);
}

#[tokio::test]
async fn a_sweep_takes_all_that_is_old_and_nothing_else() {
    let bench = Bench::new().await;
    let acts = (0..1001).map(async |n| {
        let scope = scope(Some(&format!("old {n}")));
        bench.act(&scope, DIGEST).await.expect("done");
    });
    futures::future::join_all(acts).await;
    bench.clock.advance(Duration::from_hours(25));
    bench.act(&scope(Some("new")), DIGEST).await.expect("done");
    assert_eq!(bench.idempotency.sweep().await.expect("swept"), 1001);
    assert_eq!(bench.count("idempotency").await, 1);
}

#[tokio::test]
async fn a_sealed_answer_is_not_to_be_read_in_the_database() {
    let bench = Bench::new().await;
    let sealing = bench.idempotency.clone().sealing(&[7; 32]);
    let scope = scope(Some("k"));
    let unit = async |_: &Tx| -> Unit<Answer, Problem> {
        let body = json!({"access_token": "very-secret"});
        Ok(Answer::json(StatusCode::CREATED, &body).sealed())
    };
    let unsealed = bench.idempotency.once(&scope, DIGEST, unit).await;
    assert_eq!(unsealed.expect_err("no key").code, "internal_error");
    sealing.once(&scope, DIGEST, unit).await.expect("done");
    let body = bench.temp.store.read(async |tx: &Tx| -> Unit<String> {
        let sql = "SELECT body FROM idempotency";
        let statement = Statement::from_string(tx.get_database_backend(), sql);
        let row = tx.query_one_raw(statement).await?.expect("a row");
        Ok(row.try_get("", "body")?)
    });
    assert!(!body.await.expect("read").contains("secret"));
    let again = bench.idempotency.clone().sealing(&[7; 32]);
    let replay = again.once(&scope, DIGEST, unit).await.expect("replayed");
    let (_, _, body) = shown(replay.into_response()).await;
    assert_eq!(body, r#"{"access_token":"very-secret"}"#);
}
