//! The OpenAPI document: what the contexts say of their operations, and what
//! holds for all of them (how to authenticate, how errors look), said once.

use cleave_web::{FieldError, Problem};
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Content, InfoBuilder, LicenseBuilder, OpenApi as Document, Ref, RefOr,
    ResponseBuilder, Tag,
};
use utoipa::{OpenApi, PartialSchema, ToSchema};

const PROBLEM: &str = "Problem";
/// The media type of problem details (RFC 9457).
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// What a platform asks, of no context and without a version.
#[derive(OpenApi)]
#[openapi(paths(
    crate::host::health::live,
    crate::host::health::ready,
    crate::host::metrics::show,
    super::keys::show
))]
struct Platform;

const TAGS: [(&str, &str); 8] = [
    ("users", "Accounts and sessions."),
    ("inventory", "Products and their stock."),
    ("orders", "Orders and their fulfilment."),
    ("payments", "Charges and refunds."),
    ("shipments", "Parcels on their way."),
    ("notifications", "Messages to users."),
    (
        "ops",
        "For operators: sagas, dead letters, breakers, topology, audit.",
    ),
    (
        "platform",
        "For what runs the program: health, metrics, keys. No version.",
    ),
];

/// The whole document over the contexts' operations.
pub fn document(operations: Document) -> Document {
    let mut document = operations;
    document.merge(Platform::openapi());
    document.info = InfoBuilder::new()
        .title("Cleave")
        .version("1.0.0")
        .description(Some(
            "Order fulfilment: accounts, catalogue and stock, orders, payments, shipments, \
             notifications. Errors are RFC 9457 problem details. Every POST that creates or \
             changes something takes an `Idempotency-Key`.",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ))
        .build();
    document.tags = Some(TAGS.into_iter().map(tag).collect());
    add_common(document.components.get_or_insert_default());
    for item in document.paths.paths.values_mut() {
        item.get.iter_mut().for_each(add_conditions);
        operations_of(item).for_each(add_problems);
    }
    document
}

fn tag((name, description): (&str, &str)) -> Tag {
    TagBuilder::new()
        .name(name)
        .description(Some(description))
        .build()
}

fn add_common(components: &mut Components) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token of `POST /api/v1/users/sessions`."))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let content = add_problem(components);
    let problem = ResponseBuilder::new()
        .description("What went wrong (RFC 9457); `code` is stable.")
        .content(PROBLEM_JSON, content)
        .build();
    components
        .responses
        .insert(PROBLEM.to_owned(), problem.into());
}

/// Makes problems known to a document, and gives what an answer that is one has in it.
pub(crate) fn add_problem(components: &mut Components) -> Content {
    let schemas = &mut components.schemas;
    schemas.insert(PROBLEM.to_owned(), Problem::schema());
    schemas.insert(FieldError::name().into_owned(), FieldError::schema());
    Content::new(Some(Ref::from_schema_name(PROBLEM)))
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

/// The refusals that the conventions bring with them, where an operation does
/// not name them itself; and what nobody names is a problem all the same.
fn add_problems(operation: &mut Operation) {
    // What a platform asks is not counted, and says itself how it fails.
    let platform = operation.tags.iter().flatten().any(|tag| tag == "platform");
    let mut statuses = if platform {
        vec!["default"]
    } else {
        vec!["429", "503", "default"]
    };
    if operation.security.is_some() {
        statuses.push("401");
    }
    if operation.tags.iter().flatten().any(|tag| tag == "ops") {
        statuses.push("403");
    }
    if operation.request_body.is_some() {
        statuses.extend(["400", "413", "415", "422"]);
    }
    if takes(operation, &ParameterIn::Header, "Idempotency-Key") {
        statuses.extend(["409", "413", "422"]);
    }
    if takes(operation, &ParameterIn::Query, "limit") {
        statuses.push("422");
    }
    for status in statuses {
        let problem = Ref::from_response_name(PROBLEM);
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.to_owned())
            .or_insert_with(|| problem.into());
    }
}

/// What is shown with an entity tag need not be sent to whoever has it.
fn add_conditions(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let tagged = match responses.get("200") {
        Some(RefOr::T(shown)) => shown.headers.contains_key("ETag"),
        _ => false,
    };
    if !tagged {
        return;
    }
    let same = ResponseBuilder::new()
        .description("It is as the client has it.")
        .build();
    responses
        .entry("304".to_owned())
        .or_insert_with(|| same.into());
    if !takes(operation, &ParameterIn::Header, "If-None-Match") {
        let condition = ParameterBuilder::new()
            .name("If-None-Match")
            .parameter_in(ParameterIn::Header)
            .description(Some("The `ETag` that the client has."))
            .schema(Some(String::schema()))
            .build();
        let parameters = operation.parameters.get_or_insert_default();
        parameters.push(condition.into());
    }
}

fn takes(operation: &Operation, place: &ParameterIn, name: &str) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == *place && parameter.name == name,
        RefOr::Ref(_) => false,
    })
}
