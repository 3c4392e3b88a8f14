//! The public API from the outside, for the commands that use a running server:
//! signs in, keeps its token fresh, and tries again what may be tried again.

use std::time::Duration;

use parking_lot::Mutex;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Who signs in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: String,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server is not there, and was not for as long as we were told to wait.
    #[error("{url} can't be reached: {reason}; is the server running there?")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// The server said no.
    #[error("{status} {code}: {detail}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The problem's code.
        code: String,
        /// The problem's detail.
        detail: String,
    },
    /// The server said what can't be understood.
    #[error("the answer of {url} can't be understood: {reason}")]
    Nonsense {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    /// The status: a success.
    pub status: StatusCode,
    /// The body; null where there is none.
    pub body: Value,
    /// Whether it is the first outcome of an idempotency key, replayed.
    pub replayed: bool,
}

/// A client of one server, as one user.
pub struct Client {
    http: reqwest::Client,
    base: String,
    credentials: Option<Credentials>,
    token: Mutex<String>,
    patience: Duration,
}

impl Client {
    /// A client of the server at `base` (`http://127.0.0.1:8080`) that tries for
    /// as long as `patience` what fails for the moment.
    pub fn new(
        base: &str,
        credentials: Option<Credentials>,
        patience: Duration,
    ) -> Result<Self, ClientError> {
        Self::waiting(base, credentials, patience, Duration::from_mins(1))
    }

    /// As [`Client::new`], for what takes the server longer than a minute.
    pub fn waiting(
        base: &str,
        credentials: Option<Credentials>,
        patience: Duration,
        limit: Duration,
    ) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .tcp_nodelay(true)
            .timeout(limit)
            .build();
        let base = base.trim_end_matches('/').to_owned();
        let http = http.map_err(|error| ClientError::Unreachable {
            url: base.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            http,
            base,
            credentials,
            token: Mutex::default(),
            patience,
        })
    }

    /// Signs in (again).
    pub async fn sign_in(&self) -> Result<(), ClientError> {
        let Some(Credentials { email, password }) = &self.credentials else {
            return Ok(());
        };
        let body = json!({ "email": email, "password": password });
        let answer = self
            .exchange(|http| http.post(self.url("/api/v1/users/sessions")).json(&body))
            .await?;
        let token = answer.body["access_token"].as_str().unwrap_or_default();
        token.clone_into(&mut self.token.lock());
        Ok(())
    }

    /// A query.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self
            .call(&Method::GET, path, None, &HeaderMap::new())
            .await?;
        serde_json::from_value(answer.body).map_err(|error| ClientError::Nonsense {
            url: self.url(path),
            reason: error.to_string(),
        })
    }

    /// A command.
    pub async fn post(
        &self,
        path: &str,
        body: &Value,
        headers: &HeaderMap,
    ) -> Result<Answer, ClientError> {
        self.call(&Method::POST, path, Some(body), headers).await
    }

    async fn call(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        headers: &HeaderMap,
    ) -> Result<Answer, ClientError> {
        let request = |http: &reqwest::Client| {
            let mut request = http
                .request(method.clone(), self.url(path))
                .headers(headers.clone());
            if self.credentials.is_some() {
                request = request.bearer_auth(self.token.lock().as_str());
            }
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        match self.exchange(request).await {
            Err(ClientError::Refused {
                status: StatusCode::UNAUTHORIZED,
                ..
            }) if self.credentials.is_some() => {
                self.sign_in().await?;
                self.exchange(request).await
            }
            outcome => outcome,
        }
    }

    /// Sends until there is an answer that counts, or patience ends.
    async fn exchange(
        &self,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Answer, ClientError> {
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_millis(50);
        loop {
            let (error, wait) = match self.once(&request).await {
                Ok(answer) => return Ok(answer),
                Err((error, Some(wait))) => (error, wait.max(pause)),
                Err((error, None)) => return Err(error),
            };
            if waited + wait > self.patience {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            waited += wait;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// One try; the error with how long to wait, where trying again may help.
    async fn once(
        &self,
        request: &impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Answer, (ClientError, Option<Duration>)> {
        let sent = request(&self.http).send().await;
        let response = sent.map_err(|error| (self.unreachable(&error), Some(Duration::ZERO)))?;
        let (status, url) = (response.status(), response.url().to_string());
        let wait = wait(&response);
        let replayed = response.headers().contains_key("idempotency-replayed");
        let bytes = response
            .bytes()
            .await
            .map_err(|error| (self.unreachable(&error), Some(Duration::ZERO)))?;
        let body = if bytes.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice(&bytes)
        };
        let body: Value = body.map_err(|error| {
            (
                ClientError::Nonsense {
                    url,
                    reason: error.to_string(),
                },
                None,
            )
        })?;
        if status.is_success() {
            return Ok(Answer {
                status,
                body,
                replayed,
            });
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (code, detail) = (text("code"), text("detail"));
        let again = status == StatusCode::TOO_MANY_REQUESTS
            || status.is_server_error()
            || code == "idempotency_key_in_use";
        Err((
            ClientError::Refused {
                status,
                code,
                detail,
            },
            again.then_some(wait),
        ))
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        // The innermost cause is the one that a person can act on.
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        ClientError::Unreachable {
            url: self.base.clone(),
            reason: cause.to_string(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn wait(response: &Response) -> Duration {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    Duration::from_secs(
        seconds
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or(0),
    )
}
