//! Makes calls of a port over a real connection and writes down what passed.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use cleave_seam::{Endpoint, Operation, Port, Routes};
use cleave_tests::schema::{answers, conforms};
use cleave_vocabulary::{CallContext, PortError, Refusal};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::seam::{clock, desk::call, endpoint, serve};

/// What was sent and answered, call after call.
type Tape = Arc<Mutex<Vec<Value>>>;

/// A port's operations, each with what passed on the wire, which its document knows.
pub(super) struct Book {
    operations: Vec<Operation>,
    document: Value,
    older: Map<String, Value>,
    today: Map<String, Value>,
    understood: Map<String, Value>,
}

impl Book {
    /// Of a port; `older` is what a caller and a provider of the release that froze it
    /// write, by operation.
    pub(super) fn of(port: &Port, older: &str) -> Self {
        let operations = port.operations.iter().map(|it| it.operation);
        Self {
            operations: operations.collect(),
            document: json!(cleave_seam::document([port])),
            older: serde_json::from_str(older).expect("the frozen form"),
            today: Map::new(),
            understood: Map::new(),
        }
    }

    /// Writes down one operation. What the calls of `ask` are is the port's client's.
    pub(super) async fn hold<I, O, F>(
        &mut self,
        name: &str,
        ask: impl Fn(Endpoint, CallContext, I) -> F,
        (input, answer): (I, O),
        refusals: &[&'static str],
    ) where
        I: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
        O: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
        F: Future<Output = Result<O, PortError>>,
    {
        let operation = self.operations.iter().find(|it| it.name == name);
        let operation = *operation.expect("an operation of the port");
        let answered = Ok(answer.clone());
        let mut held = exchange(operation, &ask, input.clone(), answered).await;
        self.demand_documented(operation, &held);
        for code in refusals {
            let refusal = Refusal::new(*code, "No.").with_details(["why"]);
            let refused = Err(refusal.into());
            let told = exchange(operation, &ask, input.clone(), refused).await;
            self.demand_documented(operation, &told);
            held[*code] = json!({ "status": told["status"], "answer": told["answer"] });
        }
        self.today.insert(name.to_owned(), held);
        if let Some(older) = self.older.get(name) {
            let understood = json!({
                "input": read_by_provider::<I, O>(operation, older, answer).await,
                "answer": read_by_caller(operation, older, &ask, input).await,
            });
            self.understood.insert(name.to_owned(), understood);
        }
    }

    /// Demands that input and answer are as the schemas in the port's document say.
    fn demand_documented(&self, operation: Operation, passed: &Value) {
        const JSON: &str = "application/json";
        let known = &self.document["paths"][operation.path]["post"];
        let input = &known["requestBody"]["content"][JSON]["schema"];
        assert!(input.is_object(), "{} takes a body", operation.path);
        let taken = conforms(&self.document, input, &passed["input"]);
        let (status, answer) = (&passed["status"], &passed["answer"]);
        let given = answers(&self.document, known, &status.to_string(), JSON, answer);
        let fault = taken.and(given).err();
        assert_eq!(fault, None, "{}", operation.path);
    }

    /// What passed, and what today's types make of the frozen form. Whatever is an
    /// operation is in it, and whatever was one still is.
    pub(super) fn close(self) -> (Value, Value) {
        let declared: BTreeSet<&str> = self.operations.iter().map(|it| it.name).collect();
        let held: BTreeSet<&str> = self.today.keys().map(String::as_str).collect();
        assert_eq!(held, declared, "every operation has an example");
        let frozen: BTreeSet<&str> = self.older.keys().map(String::as_str).collect();
        assert!(frozen.is_subset(&declared), "{frozen:?} are still called");
        (self.today.into(), self.understood.into())
    }
}

/// One call through the port's client and the seam's routes.
async fn exchange<I, O, F>(
    operation: Operation,
    ask: &impl Fn(Endpoint, CallContext, I) -> F,
    input: I,
    result: Result<O, PortError>,
) -> Value
where
    I: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    O: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<O, PortError>>,
{
    let (tape, clock) = (Tape::default(), clock());
    let (expected, given) = (input.clone(), result.clone());
    let act = move |_, heard: I| {
        assert_eq!(heard, expected);
        std::future::ready(given.clone())
    };
    let routes = Routes::new("contract", clock.clone()).operation(operation, act);
    let router = routes.into_router();
    let url = serve(router.layer(from_fn_with_state(tape.clone(), record))).await;
    let answer = ask(endpoint(&url, &clock), call(&clock, 9), input).await;
    assert_eq!(answer, result);
    let mut passed = std::mem::take(&mut *tape.lock());
    assert_eq!(passed.len(), 1, "{passed:?}");
    passed.remove(0)
}

async fn record(State(tape): State<Tape>, request: Request, next: Next) -> Response {
    if request.method() != http::Method::POST {
        return next.run(request).await;
    }
    let path = request.uri().path().to_owned();
    let (parts, body) = request.into_parts();
    let sent = whole(body).await;
    let request = Request::from_parts(parts, Body::from(sent.clone()));
    let (parts, body) = next.run(request).await.into_parts();
    let answered = whole(body).await;
    let read = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes).expect("JSON");
    tape.lock().push(json!({
        "path": path,
        "input": read(&sent),
        "status": parts.status.as_u16(),
        "answer": read(&answered),
    }));
    Response::from_parts(parts, Body::from(answered))
}

async fn whole(body: Body) -> Bytes {
    to_bytes(body, 1 << 20).await.expect("a body")
}

/// What today's provider takes the frozen input for.
async fn read_by_provider<I, O>(operation: Operation, older: &Value, answer: O) -> Value
where
    I: Serialize + DeserializeOwned + Send + Sync + 'static,
    O: Clone + Serialize + Send + Sync + 'static,
{
    let heard = Tape::default();
    let hears = heard.clone();
    let act = move |_, input: I| {
        hears.lock().push(json!(input));
        std::future::ready(Ok(answer.clone()))
    };
    let routes = Routes::new("contract", clock()).operation(operation, act);
    let url = serve(routes.into_router()).await;
    let request = reqwest::Client::new()
        .post(format!("{url}{}", operation.path))
        .header("x-correlation-id", "c-1")
        .json(&older["input"]);
    let status = request.send().await.expect("answered").status();
    assert_eq!(status, http::StatusCode::OK, "{}", operation.name);
    heard.lock().pop().expect("heard")
}

/// What today's caller takes the frozen answer for.
async fn read_by_caller<I, O: Debug + Serialize, F>(
    operation: Operation,
    older: &Value,
    ask: &impl Fn(Endpoint, CallContext, I) -> F,
    input: I,
) -> Value
where
    F: Future<Output = Result<O, PortError>>,
{
    let answer = answered(http::StatusCode::OK, older["answer"].clone(), ask, input).await;
    json!(answer.unwrap_or_else(|error| panic!("{}: {error}", operation.name)))
}

/// What a port's client makes of an answer that is written by hand.
pub(super) async fn answered<I, O, F>(
    status: http::StatusCode,
    body: Value,
    ask: &impl Fn(Endpoint, CallContext, I) -> F,
    input: I,
) -> Result<O, PortError>
where
    F: Future<Output = Result<O, PortError>>,
{
    let clock = clock();
    let says = async move || (status, axum::Json(body));
    let url = serve(axum::Router::new().fallback(says)).await;
    ask(endpoint(&url, &clock), call(&clock, 9), input).await
}

/// Writes an operation of a port into a book: its input, its answer, its refusals.
macro_rules! held {
    ($book:ident, $port:ident, $op:ident, $input:expr, $answer:expr, $refusals:expr) => {
        $book
            .hold(
                stringify!($op),
                |endpoint, call, input| async move {
                    $port::Client::new(endpoint).$op(&call, input).await
                },
                ($input, $answer),
                &$refusals,
            )
            .await
    };
}

pub(super) use held;
