//! What comes in.

use cleave_web::rules as common;
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use super::rules;
use crate::domain::{Address, Change, ProfileChange};

/// An account to be made.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterBody {
    /// Where messages reach its owner.
    #[serde(deserialize_with = "common::trimmed")]
    #[validate(custom(function = rules::email))]
    #[schema(example = "ada@example.com", format = Email, max_length = 254)]
    pub(super) email: String,
    /// 12 characters or more.
    #[validate(length(min = 12, max = 1024))]
    #[schema(example = "correct horse battery staple", format = Password, min_length = 12, max_length = 1024)]
    pub(super) password: String,
    /// What its owner is called.
    #[serde(deserialize_with = "common::trimmed")]
    #[validate(
        length(min = 1, max = 200),
        custom(function = common::one_line)
    )]
    #[schema(example = "Ada Lovelace", min_length = 1, max_length = 200)]
    pub(super) name: String,
}

/// Who wants to sign in.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInBody {
    /// The account's address.
    #[validate(length(min = 1, max = 254))]
    #[schema(example = "ada@example.com", format = Email)]
    pub(super) email: String,
    /// Its password.
    #[validate(length(min = 1, max = 1024))]
    #[schema(example = "correct horse battery staple", format = Password)]
    pub(super) password: String,
}

/// A refresh token to be exchanged.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshBody {
    /// As the last answer gave it.
    #[validate(length(min = 1, max = 512))]
    pub(super) refresh_token: String,
}

/// A merge patch (RFC 7396) of one's own profile: what is absent stays, what is
/// null goes.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateMeBody {
    /// What one is called; cannot be null.
    #[serde(default, deserialize_with = "rules::trimmed_change")]
    #[validate(custom(function = rules::changed_name))]
    #[schema(value_type = String, required = false, example = "Ada King", min_length = 1, max_length = 200)]
    name: Change<String>,
    /// A telephone number.
    #[serde(default, deserialize_with = "rules::trimmed_change")]
    #[validate(custom(function = rules::changed_phone))]
    #[schema(value_type = Option<String>, example = "+44 20 7946 0000", max_length = 32)]
    phone: Change<String>,
    /// Where orders go by default.
    #[serde(default, deserialize_with = "rules::change")]
    #[validate(nested)]
    #[schema(value_type = Option<AddressBody>)]
    default_address: Change<AddressBody>,
}

/// A postal address.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddressBody {
    /// Who receives there.
    #[serde(deserialize_with = "common::trimmed")]
    #[validate(
        length(min = 1, max = 200),
        custom(function = common::one_line)
    )]
    #[schema(example = "Ada Lovelace", min_length = 1, max_length = 200)]
    name: String,
    /// Street and number.
    #[serde(deserialize_with = "common::trimmed")]
    #[validate(
        length(min = 1, max = 200),
        custom(function = common::one_line)
    )]
    #[schema(example = "12 St James's Square", min_length = 1, max_length = 200)]
    line1: String,
    /// More of it.
    #[serde(default, deserialize_with = "common::trimmed_or_none")]
    #[validate(
        length(max = 200),
        custom(function = common::one_line)
    )]
    #[schema(max_length = 200)]
    line2: Option<String>,
    /// City.
    #[serde(deserialize_with = "common::trimmed")]
    #[validate(
        length(min = 1, max = 100),
        custom(function = common::one_line)
    )]
    #[schema(example = "London", min_length = 1, max_length = 100)]
    city: String,
    /// Postal code.
    #[serde(deserialize_with = "common::trimmed")]
    #[validate(
        length(min = 1, max = 20),
        custom(function = common::one_line)
    )]
    #[schema(example = "SW1Y 4JH", min_length = 1, max_length = 20)]
    postal_code: String,
    /// ISO 3166-1 alpha-2.
    #[validate(custom(function = common::country))]
    #[schema(example = "GB", min_length = 2, max_length = 2)]
    country: String,
}

impl From<AddressBody> for Address {
    fn from(body: AddressBody) -> Self {
        Self {
            name: body.name,
            line1: body.line1,
            line2: body.line2,
            city: body.city,
            postal_code: body.postal_code,
            country: body.country,
        }
    }
}

impl From<UpdateMeBody> for ProfileChange {
    fn from(body: UpdateMeBody) -> Self {
        Self {
            name: match body.name {
                Change::Set(name) => Some(name),
                Change::Keep | Change::Clear => None,
            },
            phone: body.phone,
            default_address: body.default_address.map(Address::from),
        }
    }
}
