//! How a call looks on the wire: its context in headers, its input as a JSON
//! body, its answer as a status and a JSON body. Client, routes and the wired
//! port all use this and nothing else, so that they can't disagree. Readers are
//! tolerant: a member that they don't know is passed over.

use cleave_vocabulary::{CallContext, CorrelationId, Failure, FailureKind, PortError, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The largest input or answer in bytes.
pub(crate) const BODY_LIMIT: usize = 4 * 1024 * 1024;

pub(crate) const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");
pub(crate) const TRACE: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const CAUSATION: HeaderName = HeaderName::from_static("cleave-causation");
/// How many milliseconds remain. Not a moment, because clocks differ.
pub const DEADLINE: HeaderName = HeaderName::from_static("cleave-deadline-ms");

/// A cause may be a client's key and hold anything.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b' ');

/// A call on its way.
pub(crate) struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// An answer on its way back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Nothing is sent where this fails.
    pub(crate) fn encode(
        call: &CallContext,
        input: &impl Serialize,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        check_deadline(call, now)?;
        let body = to_json(input).map_err(|why| Failure::clean(FailureKind::Broken, why))?;
        Ok(Self {
            headers: context_to_headers(call, now),
            body,
        })
    }
}

/// What a request asks, where anyone still listens for the answer.
pub(crate) fn decode_request<I: DeserializeOwned>(
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(CallContext, I), Failure> {
    let unreadable = |why| Failure::clean(FailureKind::Broken, why);
    let call = context_from_headers(headers, now).map_err(unreadable)?;
    check_deadline(&call, now)?;
    let input = from_json(body).map_err(unreadable)?;
    Ok((call, input))
}

impl Answer {
    /// The status says for proxies and logs what the body says for the caller.
    pub(crate) fn encode<O: Serialize>(result: &Result<O, PortError>) -> Self {
        match result {
            Ok(output) => match to_json(output) {
                Ok(body) => Self {
                    status: StatusCode::OK,
                    body,
                },
                // It is done, and can't be told: only asking by key will help.
                Err(why) => Self::error(&Failure::unknown(FailureKind::Broken, why).into()),
            },
            Err(error) => Self::error(error),
        }
    }

    pub(crate) fn error(error: &PortError) -> Self {
        Self {
            status: status(error),
            body: to_json(error).unwrap_or_default(),
        }
    }
}

/// What the other side answered. Whatever is not its own word comes from
/// something in between, and is judged by its status alone.
pub(crate) fn decode_answer<O: DeserializeOwned>(
    status: StatusCode,
    body: &[u8],
) -> Result<O, PortError> {
    if status == StatusCode::OK {
        return from_json(body).map_err(|why| Failure::unknown(FailureKind::Broken, why).into());
    }
    Err(from_json(body).unwrap_or_else(|_| from_between(status, body).into()))
}

/// What a layer before the routes says (RFC 9457): the token is not good, say.
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

/// What is below 500 was turned away before it was handled; of anything else
/// that can't be known.
fn from_between(status: StatusCode, body: &[u8]) -> Failure {
    let message = match from_json::<Problem>(body) {
        Ok(Problem { code, detail }) => format!("answered {status}, {code}: {detail}"),
        Err(_) => format!("answered {status}"),
    };
    match status {
        StatusCode::NOT_FOUND => Failure::clean(FailureKind::Unsupported, message),
        StatusCode::TOO_MANY_REQUESTS => Failure::clean(FailureKind::Overloaded, message),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => {
            Failure::unknown(FailureKind::Unavailable, message)
        }
        StatusCode::GATEWAY_TIMEOUT => Failure::unknown(FailureKind::Timeout, message),
        _ if status.is_client_error() => Failure::clean(FailureKind::Broken, message),
        _ => Failure::unknown(FailureKind::Broken, message),
    }
}

pub(crate) fn status(error: &PortError) -> StatusCode {
    match error {
        PortError::Refused(_) => StatusCode::CONFLICT,
        PortError::Failed(failure) => match failure.kind {
            FailureKind::Unavailable | FailureKind::Overloaded | FailureKind::BreakerOpen => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            FailureKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            FailureKind::Unsupported => StatusCode::NOT_FOUND,
            FailureKind::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

fn check_deadline(call: &CallContext, now: Timestamp) -> Result<(), Failure> {
    if call.deadline.is_some_and(|at| at <= now) {
        let message = "the deadline passed before the call";
        return Err(Failure::clean(FailureKind::Timeout, message));
    }
    Ok(())
}

fn context_to_headers(call: &CallContext, now: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(6);
    // Each is visible ASCII by its type or its encoding, and so a header's value.
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(http::header::CONTENT_TYPE, "application/json");
    set(CORRELATION, call.correlation.as_str());
    if let Some(trace) = &call.trace {
        set(TRACE, trace.as_str());
    }
    if let Some(causation) = &call.causation {
        set(
            CAUSATION,
            &utf8_percent_encode(causation, ESCAPED).to_string(),
        );
    }
    if let Some(deadline) = call.deadline {
        set(DEADLINE, &deadline.since(now).as_millis().to_string());
    }
    headers
}

fn context_from_headers(headers: &HeaderMap, now: Timestamp) -> Result<CallContext, String> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let correlation: CorrelationId = text(&CORRELATION)
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| format!("a call needs {CORRELATION}"))?;
    let deadline = match headers.get(DEADLINE) {
        Some(_) => {
            let millis = text(&DEADLINE).and_then(|millis| millis.parse().ok());
            let millis = millis.ok_or_else(|| format!("{DEADLINE} is no number"))?;
            Some(now.plus(Duration::from_millis(millis)))
        }
        None => None,
    };
    Ok(CallContext {
        correlation,
        // A trace that can't be read is begun anew, as its standard has it.
        trace: text(&TRACE).and_then(|trace| trace.parse().ok()),
        causation: text(&CAUSATION)
            .and_then(|cause| percent_decode_str(cause).decode_utf8().ok())
            .map(Into::into),
        deadline,
    })
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, String> {
    let bytes = serde_json::to_vec(value).map_err(|error| place("cannot be written", &error))?;
    if bytes.len() > BODY_LIMIT {
        return Err(format!("larger than {BODY_LIMIT} bytes"));
    }
    Ok(bytes)
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| place("cannot be understood", &error))
}

/// Where and of what kind the error is. Its own text may quote what it read,
/// which does not belong into logs.
fn place(what: &str, error: &serde_json::Error) -> String {
    let (kind, line, column) = (error.classify(), error.line(), error.column());
    format!("{what}: {kind:?} error at line {line}, column {column}")
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::{Clock, ManualClock, Refusal, SequentialIds, TraceParent};

    use super::*;

    fn call() -> CallContext {
        let ids = SequentialIds::default();
        let mut call = CallContext::root(&ids).caused_by("sga_1:charge é\n100%");
        call.trace = Some(TraceParent::fresh(&ids));
        call
    }

    #[test]
    fn the_whole_context_crosses() {
        let now = ManualClock::default().now();
        let call = call().until(now.plus(Duration::from_millis(1500)));
        let headers = context_to_headers(&call, now);
        assert_eq!(headers[DEADLINE], "1500");
        assert_eq!(context_from_headers(&headers, now), Ok(call.clone()));

        let elsewhere = now.plus(Duration::from_hours(1));
        let there = context_from_headers(&headers, elsewhere).expect("a context");
        let remains = there.deadline.expect("a deadline").since(elsewhere);
        assert_eq!(remains, Duration::from_millis(1500));
    }

    #[test]
    fn a_call_without_correlation_or_with_a_strange_deadline_is_not_understood() {
        let now = ManualClock::default().now();
        assert!(context_from_headers(&HeaderMap::new(), now).is_err());
        let mut headers = context_to_headers(&call(), now);
        headers.insert(DEADLINE, HeaderValue::from_static("soon"));
        assert!(context_from_headers(&headers, now).is_err());
    }

    #[test]
    fn answers_keep_their_meaning() {
        let results: [Result<u32, PortError>; 4] = [
            Ok(7),
            Err(Refusal::new("no", "No.").with_details([1, 2]).into()),
            Err(Failure::clean(FailureKind::Overloaded, "full").into()),
            Err(Failure::unknown(FailureKind::Timeout, "late").into()),
        ];
        for result in results {
            let answer = Answer::encode(&result);
            assert_eq!(decode_answer(answer.status, &answer.body), result);
        }
    }

    #[test]
    fn what_something_in_between_answers_is_judged_by_its_status() {
        for (status, kind, unknown) in [
            (404, FailureKind::Unsupported, false),
            (401, FailureKind::Broken, false),
            (429, FailureKind::Overloaded, false),
            (502, FailureKind::Unavailable, true),
            (503, FailureKind::Unavailable, true),
            (504, FailureKind::Timeout, true),
            (500, FailureKind::Broken, true),
            (204, FailureKind::Broken, true),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let Err(PortError::Failed(failure)) = decode_answer::<u32>(status, b"<html>") else {
                panic!("{status} is a failure");
            };
            assert_eq!(
                (failure.kind, failure.outcome_unknown),
                (kind, unknown),
                "{status}"
            );
        }
    }

    #[test]
    fn a_problem_of_the_layers_before_is_passed_on_in_words() {
        let body = br#"{"code": "wrong_audience", "detail": "Not for here.", "status": 401}"#;
        let Err(PortError::Failed(failure)) = decode_answer::<u32>(StatusCode::UNAUTHORIZED, body)
        else {
            panic!("a failure");
        };
        let message = "answered 401 Unauthorized, wrong_audience: Not for here.";
        assert_eq!(failure, Failure::clean(FailureKind::Broken, message));
    }

    #[test]
    fn an_answer_that_cannot_be_understood_may_have_been_an_effect() {
        let Err(PortError::Failed(failure)) =
            decode_answer::<u32>(StatusCode::OK, br#""secret words""#)
        else {
            panic!("not a number");
        };
        assert_eq!(failure.kind, FailureKind::Broken);
        assert!(failure.outcome_unknown);
        assert!(!failure.message.contains("secret"), "{}", failure.message);
    }

    #[test]
    fn what_is_too_large_for_the_wire_is_not_sent() {
        let now = ManualClock::default().now();
        let input = "x".repeat(BODY_LIMIT);
        let failure = Request::encode(&call(), &input, now).err().expect("large");
        assert_eq!(failure.kind, FailureKind::Broken);
        assert!(!failure.outcome_unknown);
    }
}
