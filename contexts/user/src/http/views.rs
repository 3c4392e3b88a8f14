//! What goes out.

use cleave_vocabulary::{Timestamp, UserId};
use cleave_web::Role;
use serde::Serialize;
use utoipa::ToSchema;

use crate::application::TokenPair;
use crate::domain::{self, User};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserView {
    id: UserId,
    /// Where messages reach them.
    #[schema(example = "ada@example.com")]
    email: String,
    /// What they are called.
    #[schema(example = "Ada Lovelace")]
    name: String,
    role: Role,
    /// A telephone number.
    #[schema(required, example = "+44 20 7946 0000")]
    phone: Option<String>,
    /// Where their orders go by default.
    #[schema(required)]
    default_address: Option<AddressView>,
    /// Counts the changes; the entity tag.
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A postal address.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Address)]
pub(super) struct AddressView {
    /// Who receives there.
    name: String,
    /// Street and number.
    line1: String,
    /// More of it.
    #[schema(required)]
    line2: Option<String>,
    /// City.
    city: String,
    /// Postal code.
    postal_code: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "GB")]
    country: String,
}

/// A session: what to call with, and what to go on with.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionView {
    /// A JSON Web Token, to be sent as `Authorization: Bearer`.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: u64,
    /// Good for one exchange at `POST /users/sessions/refresh`.
    refresh_token: String,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            name: user.name,
            role: match user.role {
                domain::Role::Customer => Role::Customer,
                domain::Role::Admin => Role::Admin,
            },
            phone: user.phone,
            default_address: user.default_address.map(AddressView::from),
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

impl From<domain::Address> for AddressView {
    fn from(address: domain::Address) -> Self {
        Self {
            name: address.name,
            line1: address.line1,
            line2: address.line2,
            city: address.city,
            postal_code: address.postal_code,
            country: address.country,
        }
    }
}

impl From<TokenPair> for SessionView {
    fn from(pair: TokenPair) -> Self {
        Self {
            access_token: pair.access_token,
            token_type: "Bearer",
            expires_in: pair.expires_in,
            refresh_token: pair.refresh_token,
        }
    }
}
