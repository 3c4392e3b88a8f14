//! What answers where no router knows the address.

use cleave_web::Problem;
use http::{StatusCode, Uri};

/// The contexts of `/api/v1/{context}`.
const KNOWN: [&str; 7] = [
    "users",
    "orders",
    "payments",
    "inventory",
    "shipments",
    "notifications",
    "ops",
];

/// 404: `unknown_service` where there is no such context, else `not_found`.
pub(super) async fn unknown(uri: Uri) -> Problem {
    let below = uri.path().strip_prefix("/api/v1/");
    let service = below.and_then(|below| below.split('/').next());
    match service {
        Some(service) if !service.is_empty() && !KNOWN.contains(&service) => Problem::new(
            StatusCode::NOT_FOUND,
            "unknown_service",
            "There is no service of this name under /api/v1.",
        )
        .with("services", KNOWN),
        _ => Problem::not_found(),
    }
}
