//! A context's public API without a network: its router under the layers that
//! the conventions need, asked with `oneshot`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use cleave_vocabulary::{UserId, UuidV7Ids};
use cleave_web::{Authenticate, Caller, Identity, Role, TokenVerifier};
use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// A router to be asked.
#[derive(Clone)]
pub struct Api {
    router: Router,
}

impl Api {
    /// Over a context's routes; callers are who [`Ask::caller`] says they are.
    pub fn trusting(routes: Router) -> Self {
        Self::layered(routes)
    }

    /// Over a context's routes; callers are who their tokens say they are.
    pub fn verifying(routes: Router, verifier: TokenVerifier) -> Self {
        Self::layered(routes.layer(Authenticate::new(verifier)))
    }

    fn layered(routes: Router) -> Self {
        let correlate = |request: Request, next: Next| {
            cleave_web::correlate(Arc::new(UuidV7Ids), request, next)
        };
        let router = routes
            .fallback(cleave_web::not_found)
            .method_not_allowed_fallback(cleave_web::method_not_allowed)
            .layer(from_fn(cleave_web::conditional))
            .layer(from_fn(correlate));
        Self { router }
    }

    /// A GET to be sent.
    pub fn get(&self, path: &str) -> Ask {
        self.ask(Method::GET, path)
    }

    /// A POST to be sent.
    pub fn post(&self, path: &str) -> Ask {
        self.ask(Method::POST, path)
    }

    /// A PATCH to be sent.
    pub fn patch(&self, path: &str) -> Ask {
        self.ask(Method::PATCH, path)
    }

    /// A DELETE to be sent.
    pub fn delete(&self, path: &str) -> Ask {
        self.ask(Method::DELETE, path)
    }

    fn ask(&self, method: Method, path: &str) -> Ask {
        Ask {
            router: self.router.clone(),
            request: http::Request::builder().method(method).uri(path),
            body: Body::empty(),
        }
    }
}

/// A request, not sent yet.
pub struct Ask {
    router: Router,
    request: http::request::Builder,
    body: Body,
}

impl Ask {
    /// With a header.
    pub fn header(mut self, name: impl AsRef<str>, value: &str) -> Self {
        self.request = self.request.header(name.as_ref(), value);
        self
    }

    /// With an access token.
    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// As this user, where the API trusts.
    pub fn caller(mut self, user: UserId, role: Role) -> Self {
        let session = "ses_test".to_owned();
        self.request = self.request.extension(Identity::Known(Caller {
            user,
            role,
            session,
        }));
        self
    }

    /// With an `Idempotency-Key`.
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With `If-Match`.
    pub fn if_match(self, tag: &str) -> Self {
        self.header(IF_MATCH, tag)
    }

    /// With `If-None-Match`.
    pub fn if_none_match(self, tag: &str) -> Self {
        self.header(IF_NONE_MATCH, tag)
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    /// With a body that says it is JSON.
    pub fn text(self, body: &str) -> Self {
        let mut ask = self.header(CONTENT_TYPE, "application/json");
        ask.body = Body::from(body.to_owned());
        ask
    }

    /// Sends it.
    pub async fn send(self) -> Told {
        let request = self.request.body(self.body).expect("a request");
        let response = self.router.oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let json = match bytes.len() {
            0 => Value::Null,
            _ => serde_json::from_slice(&bytes).expect("JSON"),
        };
        Told {
            status: parts.status,
            headers: parts.headers,
            json,
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Told {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null where there is none.
    pub json: Value,
}

impl Told {
    /// The same, having the status that is expected.
    ///
    /// # Panics
    ///
    /// Where it has another, or is a problem that breaks the conventions.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.json);
        if status >= 400 {
            let code = self.json["code"].as_str().expect("a code");
            assert_eq!(self.header("content-type"), "application/problem+json");
            assert_eq!(self.json["status"], status);
            assert_eq!(self.json["type"], format!("urn:cleave:problem:{code}"));
            let correlation = self.json["correlation_id"].as_str();
            assert_eq!(correlation, Some(self.header("x-correlation-id")));
        }
        self
    }

    /// The problem's code, having the status that is expected.
    #[track_caller]
    pub fn problem(self, status: u16) -> String {
        let told = self.expect(status);
        told.json["code"].as_str().expect("a code").to_owned()
    }

    /// A header's text; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// A member of the body that is text.
    #[track_caller]
    pub fn text(&self, member: &str) -> &str {
        self.json[member].as_str().expect(member)
    }

    /// The ids of a page's items.
    ///
    /// # Panics
    /// Where it is no page.
    #[track_caller]
    pub fn ids(&self) -> Vec<Value> {
        let items = self.json["items"].as_array().expect("items").iter();
        items.map(|item| item["id"].clone()).collect()
    }
}
