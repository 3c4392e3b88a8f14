//! The limit: the same five transactions an order, each in the file of its
//! context, written by hand over rusqlite with group commit and no HTTP.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

/// Where an order stands on its way through the five transactions.
struct Job {
    order: [u8; 16],
    lines: [i64; 3],
    step: usize,
}

/// The file that each of the five transactions is in.
const FILES: [usize; 5] = [0, 1, 2, 3, 0];
const SCHEMA: [&str; 4] = [
    "CREATE TABLE orders (id BLOB PRIMARY KEY, items TEXT, total INTEGER, status TEXT, at INTEGER);
     CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT);",
    "CREATE TABLE stock (id INTEGER PRIMARY KEY, on_hand INTEGER, reserved INTEGER);
     CREATE TABLE reservation (id BLOB PRIMARY KEY, items TEXT);
     CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT);",
    "CREATE TABLE payment (id BLOB PRIMARY KEY, amount INTEGER, status TEXT);
     CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT);",
    "CREATE TABLE shipment (id BLOB PRIMARY KEY, address TEXT, status TEXT);
     CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT);",
];
const PRODUCTS: i64 = 3115;

/// Orders a second with so many on their way at once.
pub(crate) fn orders_per_second(span: Duration, at_once: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let (done, finished) = channel();
    let (queues, waiting): (Vec<Sender<Job>>, Vec<Receiver<Job>>) =
        (0..4).map(|_| channel()).unzip();
    let threads: Vec<_> = waiting
        .into_iter()
        .enumerate()
        .map(|(file, waiting)| {
            let (path, done) = (folder.path().join(format!("{file}.db")), done.clone());
            std::thread::spawn(move || serve(file, &path, &waiting, &done))
        })
        .collect();
    let begun = Instant::now();
    let (mut orders, mut under_way, mut made) = (0_u64, 0_usize, 0_u64);
    loop {
        while under_way < at_once && begun.elapsed() < span {
            made += 1;
            under_way += 1;
            queues[0].send(job(made)).expect("the thread runs");
        }
        if under_way == 0 {
            break;
        }
        let job: Job = finished.recv().expect("the threads run");
        if job.step < FILES.len() {
            queues[FILES[job.step]].send(job).expect("the thread runs");
        } else {
            orders += 1;
            under_way -= 1;
        }
    }
    let took = begun.elapsed();
    drop(queues);
    for thread in threads {
        thread.join().expect("no thread panics");
    }
    orders as f64 / took.as_secs_f64()
}

fn job(made: u64) -> Job {
    let mut order = [0; 16];
    order[..8].copy_from_slice(&made.to_be_bytes());
    let line = |n: u64| {
        i64::try_from(
            made.wrapping_mul(0x9E37_79B9)
                .rotate_left(7 * u32::try_from(n).unwrap_or(0))
                % PRODUCTS.unsigned_abs(),
        )
        .unwrap_or(0)
    };
    Job {
        order,
        lines: [line(1), line(2), line(3)],
        step: 0,
    }
}

fn serve(file: usize, path: &Path, waiting: &Receiver<Job>, done: &Sender<Job>) {
    let mut connection = Connection::open(path).expect("opens");
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000").expect("set");
    connection.execute_batch(SCHEMA[file]).expect("made");
    if file == 1 {
        let fill = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) INSERT INTO stock SELECT i, 1000000000, 0 FROM n";
        connection.execute(fill, [PRODUCTS]).expect("filled");
    }
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter().take(255));
        let transaction = connection.transaction().expect("begins");
        for job in &mut group {
            transaction.execute_batch("SAVEPOINT unit").expect("begins");
            step(&transaction, job);
            transaction.execute_batch("RELEASE unit").expect("ends");
            job.step += 1;
        }
        transaction.commit().expect("commits");
        for job in group {
            drop(done.send(job));
        }
    }
}

fn step(connection: &Connection, job: &Job) {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .expect("runs");
    };
    let items = format!("{:?}", job.lines);
    match job.step {
        0 => run(
            "INSERT INTO orders VALUES (?1, ?2, 5997, 'pending', 0)",
            params![job.order, items],
        ),
        1 => {
            for line in job.lines {
                run(
                    "UPDATE stock SET reserved = reserved + 1 WHERE id = ?1 AND on_hand - reserved >= 1",
                    params![line],
                );
            }
            run(
                "INSERT INTO reservation VALUES (?1, ?2)",
                params![job.order, items],
            );
        }
        2 => run(
            "INSERT INTO payment VALUES (?1, 5997, 'completed')",
            params![job.order],
        ),
        3 => run(
            "INSERT INTO shipment VALUES (?1, '1 High Street', 'scheduled')",
            params![job.order],
        ),
        _ => run(
            "UPDATE orders SET status = 'paid' WHERE id = ?1",
            params![job.order],
        ),
    }
    run("INSERT INTO outbox (event) VALUES (?1)", params![EVENT]);
}

/// As long as an event is.
pub(crate) const EVENT: &str = r#"{"specversion":"1.0","id":"evt_01h455vb4pex5vsknk084sn02q","source":"/contexts/order","type":"order.created","subject":"ord_01h455vb4pex5vsknk084sn02q","time":"2026-01-02T03:04:05.678Z","datacontenttype":"application/json","dataschema":"urn:cleave:event:order.created:v1","correlationid":"0190163d9c4a7c3e8b5a000000000001","data":{"order_id":"ord_01h455vb4pex5vsknk084sn02q","user_id":"usr_01h455vb4pex5vsknk084sn02q","items":[],"total":{"amount":5997,"currency":"GBP"}}}"#;
