//! The document of what processes ask of each other: the ports, as the contracts
//! declare them, and what gateways want to know of a process; with the lock before
//! each. The public operations, which are passed on here too, have their own.

use axum::Json;
use cleave_seam::Port;
use cleave_web::ServiceTokens;
use http::header::WWW_AUTHENTICATE;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Content, InfoBuilder, OpenApi as Document, Ref, ResponseBuilder,
};
use utoipa::{OpenApi, PartialSchema};

use super::lock::SERVICE_TOKEN;
use super::standing::{DOCUMENT, STANDING};
use crate::gateway::{PROBLEM_JSON, add_problem};
use crate::topology::{CONTEXTS, GATEWAY};

/// Every port.
const PORTS: [Port; 5] = [
    cleave_inventory_contract::port::PORT,
    cleave_payment_contract::port::PORT,
    cleave_shipping_contract::port::PORT,
    cleave_user_contract::port::PORT,
    crate::audit::port::PORT,
];

/// What is here besides them.
#[derive(OpenApi)]
#[openapi(paths(
    super::standing::standing,
    super::standing::operations,
    show,
    crate::host::health::live,
    crate::host::health::ready
))]
struct Process;

const TAGS: [(&str, &str); 2] = [
    ("process", "What gateways ask of a process."),
    ("platform", "For what runs the program: health."),
];

const DESCRIPTION: &str = "The ports of the contexts, as one process calls them at another. \
    A refusal is an answer (409); a failure is none, and its `outcome_unknown` says whether it \
    may have happened all the same. What changes something (`x-changes`) carries a key and is \
    safe to repeat with it. Unknown members are passed over. A process also serves the public \
    operations of its contexts here, for gateways that pass a client's request on: \
    `Authorization` is the client's then, and the service token has a header of its own.";

/// The tokens: in `Authorization`, and in a header of their own.
const SERVICE: &str = "service";
const FORWARDING: &str = "forwarding";

const UNAUTHORIZED: &str = "Unauthorized";
const NOT_HOSTED: &str = "NotHosted";

/// This document.
#[utoipa::path(
    get, path = "/internal/v1/openapi.json", tag = "process", operation_id = "get_document",
    responses((status = 200, description = "What processes ask of each other.", body = Object))
)]
pub(super) async fn show() -> Json<Document> {
    Json(document())
}

fn document() -> Document {
    let mut document = cleave_seam::document(&PORTS);
    document.merge(Process::openapi());
    document.info = InfoBuilder::new()
        .title("Cleave, between its processes")
        .version("1.0.0")
        .description(Some(DESCRIPTION))
        .build();
    let tags = TAGS.map(|(name, words)| {
        let tag = TagBuilder::new().name(name).description(Some(words));
        tag.build()
    });
    document.tags.get_or_insert_default().extend(tags);
    add_common(document.components.get_or_insert_default());
    let paths = &mut document.paths.paths;
    // Whatever is posted is a call of a port.
    for post in paths.values_mut().filter_map(|item| item.post.as_mut()) {
        let context = post.tags.iter().flatten().next().cloned();
        let context = context.unwrap_or_default();
        lock(post, SERVICE, &context);
        if CONTEXTS.contains(&&*context) {
            answer(post, "404", NOT_HOSTED);
        }
    }
    for path in [STANDING, DOCUMENT] {
        if let Some(get) = paths.get_mut(path).and_then(|item| item.get.as_mut()) {
            lock(get, FORWARDING, GATEWAY);
        }
    }
    document
}

/// Only who shows a token for `audience` is let in.
fn lock(operation: &mut Operation, scheme: &str, audience: &str) {
    let needed = SecurityRequirement::new(scheme, std::iter::empty::<String>());
    operation.security = Some(vec![needed]);
    let said = ExtensionsBuilder::new().add("x-audience", ServiceTokens::audience(audience));
    let extensions = operation.extensions.get_or_insert_default();
    extensions.merge(said.build());
    answer(operation, "401", UNAUTHORIZED);
}

fn answer(operation: &mut Operation, status: &str, response: &str) {
    let response = Ref::from_response_name(response);
    let responses = &mut operation.responses.responses;
    responses.insert(status.to_owned(), response.into());
}

fn add_common(components: &mut Components) {
    let problem = add_problem(components);
    let unauthorized = ResponseBuilder::new()
        .description(
            "No service token, or none that is good here: `service_token_required`, \
             `invalid_service_token`, `user_token_refused`, `wrong_audience`, \
             `service_token_out_of_time`.",
        )
        .header(
            WWW_AUTHENTICATE.as_str(),
            HeaderBuilder::new().schema(Some(String::schema())).build(),
        )
        .content(PROBLEM_JSON, problem.clone())
        .build();
    let not_hosted = ResponseBuilder::new()
        .description(
            "The operation is not known here: `unsupported`. Or the context is not in this \
             process: the problem `not_hosted`.",
        )
        .content(
            "application/json",
            Content::new(Some(Ref::from_schema_name("Failed"))),
        )
        .content(PROBLEM_JSON, problem)
        .build();
    let responses = &mut components.responses;
    responses.insert(UNAUTHORIZED.to_owned(), unauthorized.into());
    responses.insert(NOT_HOSTED.to_owned(), not_hosted.into());
    add_tokens(components);
}

fn add_tokens(components: &mut Components) {
    let token = format!(
        "a service token: signed with EdDSA under the deployment's `internal.key`; `iss` and \
         `kid` name the calling context, and `aud` is the operation's `x-audience` (`{}` for a \
         call of payments).",
        ServiceTokens::audience("payment")
    );
    let service = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(format!("For calls of ports, {token}")))
        .build();
    let forwarding = format!("For gateways, `Bearer`, a space and {token}");
    let forwarding = ApiKeyValue::with_description(SERVICE_TOKEN.as_str(), &forwarding);
    components.add_security_scheme(SERVICE, SecurityScheme::Http(service));
    let forwarding = SecurityScheme::ApiKey(ApiKey::Header(forwarding));
    components.add_security_scheme(FORWARDING, forwarding);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    fn operations(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
        let paths = document["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, item)| {
            let operations = item.as_object().expect("operations").values();
            operations.map(move |operation| (path.as_str(), operation))
        })
    }

    #[test]
    fn every_operation_is_named_once() {
        let document = json!(document());
        let declared = PORTS.iter().flat_map(|port| port.operations);
        let ports = declared.map(|described| described.operation.path);
        let others = [STANDING, DOCUMENT, "/internal/v1/openapi.json"];
        let health = ["/health/live", "/health/ready"];
        let expected: BTreeSet<&str> = ports.chain(others).chain(health).collect();
        let told: BTreeSet<&str> = operations(&document).map(|(path, _)| path).collect();
        assert_eq!(told, expected);
        let names = operations(&document).map(|(_, operation)| &operation["operationId"]);
        let names: BTreeSet<&str> = names.map(|name| name.as_str().expect("a name")).collect();
        assert_eq!(names.len(), expected.len());
    }

    #[test]
    fn whatever_needs_a_token_says_which() {
        let document = json!(document());
        for (path, operation) in operations(&document) {
            let open = path.starts_with("/health/") || path.ends_with("/openapi.json");
            assert_eq!(operation["security"].is_null(), open, "{path}");
            assert_eq!(operation["x-audience"].is_null(), open, "{path}");
            assert_eq!(operation["responses"]["401"].is_null(), open, "{path}");
        }
        let paths = &document["paths"];
        let charge = &paths["/internal/v1/payment/charge"]["post"];
        assert_eq!(charge["x-audience"], "cleave/payment");
        assert_eq!(charge["x-changes"], true);
        let audit = &paths["/internal/v1/gateway/audit_checks"]["post"];
        assert_eq!(audit["x-audience"], "cleave/gateway");
        assert_eq!(audit["x-changes"], false);
    }

    /// Every reference below a value.
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|it| references(it, found));
            }
            Value::Array(items) => items.iter().for_each(|it| references(it, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_component_is_referred_to() {
        let document = json!(document());
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            let target = document.pointer(reference.trim_start_matches('#'));
            assert!(target.is_some(), "{reference}");
        }
        for kind in ["schemas", "responses", "parameters"] {
            let components = document["components"][kind]
                .as_object()
                .expect("components");
            for name in components.keys() {
                let reference = format!("#/components/{kind}/{name}");
                assert!(found.contains(&*reference), "{reference}");
            }
        }
    }

    #[test]
    fn no_schema_hides_another_of_its_name() {
        let schemas = |document: Document| {
            let components = document.components.unwrap_or_default();
            components.schemas.into_keys().collect::<BTreeSet<String>>()
        };
        let (mut problems, ports) = (Components::new(), cleave_seam::document(&PORTS));
        add_problem(&mut problems);
        let problems: BTreeSet<String> = problems.schemas.into_keys().collect();
        let (ports, process) = (schemas(ports), schemas(Process::openapi()));
        assert!(ports.is_disjoint(&process));
        assert!(ports.union(&process).all(|name| !problems.contains(name)));
    }

    #[test]
    fn it_is_as_it_was() {
        insta::assert_yaml_snapshot!(json!(document()));
    }
}
