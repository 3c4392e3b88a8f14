//! The OpenAPI document: what the contexts say of their operations, and what
//! holds for all of them (how to authenticate, how errors look), said once.

use cleave_web::{FieldError, Problem};
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
    Tag,
};
use utoipa::{PartialSchema, ToSchema};

const PROBLEM: &str = "Problem";

const TAGS: [(&str, &str); 7] = [
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
];

/// The whole document over the contexts' operations.
pub fn document(operations: OpenApi) -> OpenApi {
    let mut document = operations;
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
    let schemas = &mut components.schemas;
    schemas.insert(PROBLEM.to_owned(), Problem::schema());
    schemas.insert(FieldError::name().into_owned(), FieldError::schema());
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(PROBLEM)))
        .build();
    let problem = ResponseBuilder::new()
        .description("What went wrong (RFC 9457); `code` is stable.")
        .content("application/problem+json", content)
        .build();
    components
        .responses
        .insert(PROBLEM.to_owned(), problem.into());
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
    let mut statuses = vec!["429", "503", "default"];
    if operation.security.is_some() {
        statuses.push("401");
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

fn takes(operation: &Operation, place: &ParameterIn, name: &str) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == *place && parameter.name == name,
        RefOr::Ref(_) => false,
    })
}
