//! How this context's refusals look over HTTP.

use axum::http::StatusCode;
use cleave_web::Problem;

use crate::application::register::RegisterRefusal;
use crate::application::sign_in::SignInError;
use crate::application::update_profile::UpdateRefusal;
use crate::credentials::HashError;
use crate::domain::RefreshRefusal;

impl From<RegisterRefusal> for Problem {
    fn from(refusal: RegisterRefusal) -> Self {
        match refusal {
            RegisterRefusal::EmailTaken => Problem::conflict(
                "email_taken",
                "There is an account with this email address already. Sign in instead.",
            ),
        }
    }
}

impl From<HashError> for Problem {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Problem::unavailable(&error),
            HashError::Failed(_) => Problem::internal(&error),
        }
    }
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::InvalidCredentials => Problem::new(
                StatusCode::UNAUTHORIZED,
                "invalid_credentials",
                "The email address or the password is wrong.",
            ),
            SignInError::Hash(error) => error.into(),
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<RefreshRefusal> for Problem {
    fn from(refusal: RefreshRefusal) -> Self {
        let (code, detail) = match refusal {
            RefreshRefusal::Unknown => (
                "refresh_token_invalid",
                "This is no refresh token. Sign in again.",
            ),
            RefreshRefusal::Expired => (
                "refresh_token_expired",
                "The refresh token has expired. Sign in again.",
            ),
            RefreshRefusal::Revoked => (
                "refresh_token_revoked",
                "The session was ended. Sign in again.",
            ),
            RefreshRefusal::Reused { .. } => (
                "refresh_token_reused",
                "A refresh token of this session was used twice, so the session was ended. \
                 Sign in again.",
            ),
        };
        Problem::new(StatusCode::UNAUTHORIZED, code, detail)
    }
}

impl From<UpdateRefusal> for Problem {
    fn from(refusal: UpdateRefusal) -> Self {
        match refusal {
            UpdateRefusal::Unknown => Problem::not_found(),
            UpdateRefusal::Stale => Problem::version_conflict(),
        }
    }
}
