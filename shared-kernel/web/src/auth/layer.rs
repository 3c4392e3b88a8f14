//! The layer that looks at `Authorization` once for each request.

use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request};
use tower::{Layer, Service};

use super::{Caller, TokenVerifier, invalid_token};
use crate::Problem;

/// What the layer found; in the request's extensions.
#[derive(Debug, Clone)]
pub enum Identity {
    /// No token came.
    Anonymous,
    /// A good token came.
    Known(Caller),
    /// A bad token came; the problem says how bad.
    Refused(Problem),
}

/// A tower layer that verifies the bearer token, if any, and leaves the outcome
/// in the request's extensions for [`Caller`] and [`MaybeCaller`](super::MaybeCaller).
#[derive(Clone)]
pub struct Authenticate {
    verifier: TokenVerifier,
}

impl Authenticate {
    /// Over a verifier.
    pub fn new(verifier: TokenVerifier) -> Self {
        Self { verifier }
    }
}

impl<S> Layer<S> for Authenticate {
    type Service = Authenticated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticated {
            inner,
            verifier: self.verifier.clone(),
        }
    }
}

/// The service that [`Authenticate`] makes.
#[derive(Clone)]
pub struct Authenticated<S> {
    inner: S,
    verifier: TokenVerifier,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Authenticated<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let identity = identify(&self.verifier, request.headers());
        request.extensions_mut().insert(identity);
        self.inner.call(request)
    }
}

/// The scheme's name is compared without regard to case (RFC 9110, 11.1).
fn identify(verifier: &TokenVerifier, headers: &HeaderMap) -> Identity {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Identity::Anonymous;
    };
    let parts = value.to_str().ok().and_then(|text| text.split_once(' '));
    let found = match parts {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            verifier.verify(token.trim())
        }
        _ => Err(invalid_token()),
    };
    match found {
        Ok(caller) => Identity::Known(caller),
        Err(problem) => Identity::Refused(problem),
    }
}
