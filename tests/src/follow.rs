//! An order followed over Server-Sent Events, as a client does it: a stream that may
//! break off at any time, and what was told of it, so that the next goes on behind that.

use std::collections::BTreeSet;

use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::shop::{Client, http};

/// What a stream tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where the client is, once it has read this.
    pub place: String,
    /// What happened.
    pub told: Value,
}

/// What became of asking for a stream.
pub enum Opened {
    /// It goes on.
    Live(Stream),
    /// Nothing lies behind that place, and nothing will.
    Over,
    /// Nobody has it to give at the moment.
    Away,
}

/// A stream of one order's items.
pub struct Stream {
    answer: Response,
    /// What has come and is no whole event yet.
    rest: Vec<u8>,
}

impl Stream {
    /// Asks for the stream at `path`, from behind the place that an earlier one came to.
    ///
    /// # Panics
    /// Where the answer is neither a stream, nor its end, nor that nobody has it.
    pub async fn open(client: &Client, path: &str, token: &str, last: Option<&str>) -> Opened {
        let url = format!("{}{path}", client.url());
        let mut request = http().get(url).bearer_auth(token);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let Ok(answer) = request.send().await else {
            return Opened::Away;
        };
        match answer.status() {
            StatusCode::OK => assert_eq!(answer.headers()["content-type"], "text/event-stream"),
            StatusCode::NO_CONTENT => return Opened::Over,
            StatusCode::SERVICE_UNAVAILABLE => return Opened::Away,
            other => panic!("{path}: {other}"),
        }
        let rest = Vec::new();
        Opened::Live(Self { answer, rest })
    }

    /// What comes next, none of it where it was only a sign of life; `None` once the
    /// stream has ended, or broken off.
    pub async fn next(&mut self) -> Option<Vec<Item>> {
        let chunk = self.answer.chunk().await.ok()??;
        self.rest.extend_from_slice(&chunk);
        let mut items = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = self.rest.drain(..end + 2).collect();
            items.extend(item(std::str::from_utf8(&event).expect("UTF-8")));
        }
        Some(items)
    }

    /// Reads until so many items have come.
    ///
    /// # Panics
    /// Where it ends before.
    pub async fn first(mut self, count: usize) -> Vec<Item> {
        let mut items = Vec::new();
        while items.len() < count {
            items.extend(self.next().await.expect("it goes on"));
        }
        items.truncate(count);
        items
    }
}

impl Opened {
    /// The stream, where there must be one.
    ///
    /// # Panics
    /// Where there is none.
    pub fn live(self) -> Stream {
        match self {
            Self::Live(stream) => stream,
            Self::Over => panic!("the order's story is over"),
            Self::Away => panic!("nobody has the stream"),
        }
    }
}

/// Demands that what was told of an order that is at its end, over all the streams that
/// it took, is what one is told that has the whole at once: nothing twice, and of the
/// order itself everything. Other contexts may have their last word once nobody listens.
///
/// # Panics
/// Where it is not.
pub async fn demand_whole(client: &Client, order: &str, token: &str, told: &[Item]) {
    let mut stream = Stream::open(client, &path(order), token, None).await.live();
    let mut whole = Vec::new();
    while let Some(more) = stream.next().await {
        whole.extend(more);
    }
    let texts = |items: &[Item]| -> BTreeSet<String> {
        items.iter().map(|item| item.told.to_string()).collect()
    };
    let (once, all) = (texts(told), texts(&whole));
    assert_eq!(once.len(), told.len(), "told twice: {told:#?}");
    assert!(once.is_subset(&all), "{told:#?} were never in {whole:#?}");
    whole.retain(|item| item.told["context"] == "order");
    let own = texts(&whole);
    assert!(own.is_subset(&once), "{told:#?} is not all of {whole:#?}");
}

/// Where an order is followed.
pub fn path(order: &str) -> String {
    format!("/api/v1/orders/{order}/events")
}

fn item(event: &str) -> Option<Item> {
    let field = |name: &str| {
        let mut lines = event.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim_start()))
    };
    Some(Item {
        place: field("id:")?.to_owned(),
        told: serde_json::from_str(field("data:")?).expect("JSON"),
    })
}
