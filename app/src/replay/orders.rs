//! The file of orders: a row for each line, rows of one order under one number.
//! A row that can't be used is refused with its line number; the others go on.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::countries;

/// The columns that the file must have, in any order.
const COLUMNS: [&str; 6] = [
    "order_no",
    "placed_at",
    "customer",
    "country",
    "sku",
    "quantity",
];

/// An order, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedOrder {
    /// Its number: the idempotency key is made from it.
    pub number: String,
    /// Who bought; empty for a guest.
    pub customer: String,
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// What, and how many.
    pub lines: Vec<RecordedLine>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedLine {
    /// Where in the file it stands.
    pub line: u64,
    /// The stock-keeping unit.
    pub sku: String,
    /// How many.
    pub quantity: u32,
}

/// A row that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Where in the file it stands; the header is line 1.
    pub line: u64,
    /// Why, and what was expected.
    pub reason: String,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The orders, in the order of their first rows.
    pub orders: Vec<RecordedOrder>,
    /// The rows that can't be used.
    pub refused: Vec<RefusedRow>,
}

/// Why a file can't be used at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error("{path} can't be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// There is nothing in it.
    #[error("{0} is empty; its first line must name {names}", names = COLUMNS.join(","))]
    Empty(String),
    /// It would not fit in memory.
    #[error(
        "{path} is longer than {limit} bytes; split it, and replay the parts one after the other"
    )]
    TooLong {
        /// The file.
        path: String,
        /// What it may have.
        limit: usize,
    },
    /// Its first line lacks columns.
    #[error("{path} lacks the column{} {}; its first line must name {}", if missing.len() == 1 { "" } else { "s" }, missing.join(", "), COLUMNS.join(","))]
    Columns {
        /// The file.
        path: String,
        /// What it lacks.
        missing: Vec<&'static str>,
    },
}

/// Rows of one order may stand anywhere in the file, so all of it is read before
/// any order is placed: some millions of rows.
const LONGEST: usize = 256 * 1024 * 1024;

/// Reads a file.
pub fn read(path: &Path) -> Result<Recorded, FileError> {
    read_up_to(path, LONGEST)
}

fn read_up_to(path: &Path, limit: usize) -> Result<Recorded, FileError> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        let mut some = file.take(limit as u64 + 1);
        some.read_to_end(&mut bytes)
    });
    match read {
        Err(error) => Err(FileError::Unreadable {
            path: name,
            reason: error.to_string(),
        }),
        Ok(0) => Err(FileError::Empty(name)),
        Ok(length) if length > limit => Err(FileError::TooLong { path: name, limit }),
        Ok(_) => parse(&name, &bytes),
    }
}

fn parse(path: &str, bytes: &[u8]) -> Result<Recorded, FileError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = reader.byte_headers().cloned().unwrap_or_default();
    let place = |column: &str| {
        header
            .iter()
            .position(|name| name.trim_ascii() == column.as_bytes())
    };
    let missing: Vec<_> = COLUMNS
        .into_iter()
        .filter(|column| place(column).is_none())
        .collect();
    if !missing.is_empty() {
        return Err(FileError::Columns {
            path: path.to_owned(),
            missing,
        });
    }
    let places = COLUMNS.map(|column| place(column).unwrap_or_default());
    let mut recorded = Recorded::default();
    let mut known = HashMap::new();
    for record in reader.byte_records() {
        match record
            .map_err(|error| refused_record(&error))
            .and_then(|record| row(&record, places))
        {
            Ok((order, line)) => add(&mut recorded, &mut known, order, line),
            Err(refused) => recorded.refused.push(refused),
        }
    }
    Ok(recorded)
}

fn refused_record(error: &csv::Error) -> RefusedRow {
    RefusedRow {
        line: error.position().map_or(0, csv::Position::line),
        reason: error.to_string(),
    }
}

fn add(
    recorded: &mut Recorded,
    known: &mut HashMap<String, usize>,
    order: RecordedOrder,
    line: RecordedLine,
) {
    let place = *known.entry(order.number.clone()).or_insert_with(|| {
        recorded.orders.push(order);
        recorded.orders.len() - 1
    });
    recorded.orders[place].lines.push(line);
}

/// A row as the order it belongs to, still without lines, and its line.
fn row(
    record: &csv::ByteRecord,
    places: [usize; 6],
) -> Result<(RecordedOrder, RecordedLine), RefusedRow> {
    let line = record.position().map_or(0, csv::Position::line);
    let refuse = |reason: String| RefusedRow { line, reason };
    let field = |n: usize| {
        let bytes = record
            .get(places[n])
            .ok_or_else(|| refuse(format!("the row has no {}", COLUMNS[n])))?;
        let text = std::str::from_utf8(bytes)
            .map_err(|_| refuse(format!("{} is not UTF-8", COLUMNS[n])))?;
        Ok(text.trim().to_owned())
    };
    let filled = |n: usize| {
        field(n).and_then(|text| {
            if text.is_empty() {
                Err(refuse(format!("{} is empty", COLUMNS[n])))
            } else {
                Ok(text)
            }
        })
    };
    let (number, customer, sku) = (filled(0)?, field(2)?, filled(4)?);
    if number.len() > 200 || !number.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refuse(
            "order_no must be up to 200 visible ASCII characters".to_owned(),
        ));
    }
    let country = filled(3)?;
    let country = countries::code(&country)
        .ok_or_else(|| refuse(format!("country `{country}` is not known")))?;
    let quantity = filled(5)?;
    let quantity = quantity
        .parse()
        .ok()
        .filter(|quantity| (1..=10_000).contains(quantity))
        .ok_or_else(|| {
            refuse(format!(
                "quantity `{quantity}` is not a whole number from 1 to 10000"
            ))
        })?;
    let order = RecordedOrder {
        number,
        customer,
        country,
        lines: Vec::new(),
    };
    Ok((
        order,
        RecordedLine {
            line,
            sku,
            quantity,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "order_no,placed_at,customer,country,sku,quantity\n";

    #[test]
    fn rows_of_one_number_are_one_order() {
        let text = format!("{HEADER}1,t,17,EIRE,A,2\n2,t,,France,B,1\n1,t,17,EIRE,C,3\n");
        let recorded = parse("orders.csv", text.as_bytes()).expect("a good file");
        let summary: Vec<_> = recorded
            .orders
            .iter()
            .map(|o| (o.number.as_str(), o.country, o.lines.len()))
            .collect();
        assert_eq!(summary, [("1", "IE", 2), ("2", "FR", 1)]);
        assert!(recorded.refused.is_empty());
    }

    #[test]
    fn bad_rows_are_refused_with_their_line_and_the_others_go_on() {
        let mut text = HEADER.as_bytes().to_vec();
        text.extend_from_slice(
            b"1,t,,France,A,0\n1,t,,France,A,many\n1,t,,Atlantis,A,1\n,t,,France,A,1\n",
        );
        text.extend_from_slice(
            b"1,t,,France,\xff\xfe,1\n1,t\n1,t,,France,A,10001\n2,t,,France,A,1\n",
        );
        let recorded = parse("orders.csv", &text).expect("a usable file");
        let reasons: Vec<String> = recorded
            .refused
            .iter()
            .map(|row| format!("{}: {}", row.line, row.reason))
            .collect();
        assert_eq!(
            reasons,
            [
                "2: quantity `0` is not a whole number from 1 to 10000",
                "3: quantity `many` is not a whole number from 1 to 10000",
                "4: country `Atlantis` is not known",
                "5: order_no is empty",
                "6: sku is not UTF-8",
                "7: the row has no customer",
                "8: quantity `10001` is not a whole number from 1 to 10000",
            ]
        );
        assert_eq!(recorded.orders.len(), 1);
    }

    #[test]
    fn a_file_without_its_columns_is_refused_whole() {
        let error = parse("x.csv", b"order_no,sku\n1,A\n")
            .expect_err("refused")
            .to_string();
        assert_eq!(
            error,
            "x.csv lacks the columns placed_at, customer, country, quantity; its first line must name order_no,placed_at,customer,country,sku,quantity"
        );
        assert!(parse("x.csv", b"").is_err());
    }

    #[test]
    fn the_real_file_is_ten_thousand_good_orders() {
        let path = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../config/demo/orders.csv"
        ));
        let recorded = read(path).expect("the file is part of the project");
        assert_eq!((recorded.orders.len(), recorded.refused.len()), (10_000, 0));
    }

    #[test]
    fn a_file_that_is_too_long_is_refused_before_all_of_it_is_read() {
        let path = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../config/demo/orders.csv"
        ));
        let error = read_up_to(path, 1000).expect_err("too long").to_string();
        assert!(error.ends_with(
            "orders.csv is longer than 1000 bytes; split it, and replay the parts one after the other"
        ), "{error}");
    }
}
