//! What holds for every answer, whatever the story is about.

use reqwest::Method;
use serde_json::Value;

use super::{Story, Told};
use crate::schema::{answers, response};

impl Story {
    /// Demands that the document of the API knows of such an answer.
    pub(super) fn demand_documented(&self, method: &Method, path: &str, told: &Told) {
        let path = path.split('?').next().unwrap_or_default();
        let Some(operation) = self.operation(method, path) else {
            return;
        };
        let status = told.status.to_string();
        let known = response(&self.document, operation, &status);
        assert!(
            known.is_some(),
            "{method} {path}: the document does not know {status}"
        );
        let kind = told.header("content-type");
        if kind == "application/json"
            && let Err(fault) = answers(&self.document, operation, &status, kind, &told.body)
        {
            panic!("{method} {path} → {status}: {fault}");
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let paths = self.document["paths"].as_object().expect("paths");
        let fits = |template: &&String| {
            let (mut ours, mut theirs) = (path.split('/'), template.split('/'));
            loop {
                match (ours.next(), theirs.next()) {
                    (None, None) => return true,
                    (Some(_), Some(hole)) if hole.starts_with('{') => {}
                    (Some(one), Some(other)) if one == other => {}
                    _ => return false,
                }
            }
        };
        let template = paths.get_key_value(path).map(|(template, _)| template);
        let template = template.or_else(|| paths.keys().find(fits))?;
        paths[template].get(method.as_str().to_lowercase())
    }
}

/// What every answer must be.
pub(super) fn demand_shape(told: &Told, sent: &[(String, String)]) {
    let correlation = told.header("x-correlation-id");
    assert!(
        (1..=128).contains(&correlation.len()) && correlation.bytes().all(|b| b.is_ascii_graphic()),
        "correlation id {correlation:?}"
    );
    let given = sent.iter().find(|(name, _)| name == "x-correlation-id");
    if let Some((_, given)) = given.filter(|(_, id)| id.len() <= 128 && !id.contains(' ')) {
        assert_eq!(given, correlation, "the correlation id is echoed");
    }
    assert_eq!(told.header("x-content-type-options"), "nosniff");
    assert_eq!(told.header("x-frame-options"), "DENY");
    assert!(!told.header("content-security-policy").is_empty());
    assert!(!told.header("cache-control").is_empty());
    if told.status >= 400 {
        let replayed = told.header("idempotency-replayed") == "true";
        demand_problem(told, correlation, replayed);
    }
}

/// RFC 9457, and our members beside it.
fn demand_problem(told: &Told, correlation: &str, replayed: bool) {
    assert_eq!(told.header("content-type"), "application/problem+json");
    let problem = &told.body;
    let code = problem["code"].as_str().expect("a code");
    let snake = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    assert!(code.bytes().all(snake), "{code}");
    assert_eq!(problem["type"], format!("urn:cleave:problem:{code}"));
    assert_eq!(problem["status"], told.status);
    for member in ["title", "detail"] {
        let text = problem[member].as_str();
        assert!(text.is_some_and(|text| !text.is_empty()), "{problem}");
    }
    // A replayed refusal is the first one, in the name of the request that got it.
    assert!(
        replayed || problem["correlation_id"] == correlation,
        "{problem}"
    );
    assert_eq!(code == "validation_failed", problem["errors"].is_array());
    let errors = problem["errors"].as_array().into_iter().flatten();
    for error in errors {
        let members: Vec<_> = error.as_object().expect("an error").keys().collect();
        assert_eq!(members, ["code", "field", "message"]);
    }
    assert_eq!(
        told.status == 401,
        !told.header("www-authenticate").is_empty()
    );
    assert!(told.status != 405 || !told.header("allow").is_empty());
    let must_wait = [429, 503].contains(&told.status);
    assert!(!must_wait || !told.header("retry-after").is_empty());
}
