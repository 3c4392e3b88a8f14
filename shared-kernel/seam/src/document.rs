//! The document of ports (OpenAPI 3.1): each operation with the schemas of what it
//! takes and answers, the headers of a call, and what each status means, as the
//! codec has it. Who may call is not said, because it is not decided here.

use std::collections::BTreeMap;

use cleave_vocabulary::{Failure, FailureKind, Refusal};
use http::{HeaderName, StatusCode};
use utoipa::PartialSchema;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AdditionalProperties, Type};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Content, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
    Schema, Tag,
};

use crate::codec::{BODY_LIMIT, CAUSATION, CORRELATION, DEADLINE, TRACE, status};
use crate::described::{Body, Described, Port};

const JSON: &str = "application/json";
/// The responses that all operations share.
const REFUSED: &str = "Refused";
const FAILED: &str = "Failed";

/// The document of these ports. No two of their types may have one name, unless
/// they have one schema.
pub fn document<'a>(ports: impl IntoIterator<Item = &'a Port>) -> OpenApi {
    let (mut document, mut tags) = (OpenApi::default(), Vec::new());
    let mut components = common();
    for port in ports {
        tags.push(tag(port));
        for described in port.operations {
            for body in [&described.input, &described.answer] {
                add_schemas(&mut components.schemas, body.schemas());
            }
            let item = PathItem::new(HttpMethod::Post, post(port.context, described));
            let path = described.operation.path.to_owned();
            document.paths.paths.insert(path, item);
        }
    }
    document.tags = Some(tags);
    document.components = Some(components);
    document
}

fn tag(port: &Port) -> Tag {
    TagBuilder::new()
        .name(port.context)
        .description(Some(text(port.words)))
        .build()
}

fn post(context: &str, described: &Described) -> OperationBuilder {
    let Described {
        operation, words, ..
    } = described;
    let words = text(words);
    let (summary, more) = match words.split_once(". ") {
        Some((first, more)) => (format!("{first}."), Some(more)),
        None => (words.clone(), None),
    };
    let takes = RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content(JSON, json(&described.input))
        .build();
    let done = ResponseBuilder::new()
        .description("Done.")
        .content(JSON, json(&described.answer));
    let changes = ExtensionsBuilder::new().add("x-changes", operation.changes());
    let post = OperationBuilder::new()
        .operation_id(Some(format!("{context}_{}", operation.name)))
        .tag(context)
        .summary(Some(summary))
        .description(more)
        .extensions(Some(changes.build()))
        .request_body(Some(takes))
        .response("200", done)
        .response("409", Ref::from_response_name(REFUSED))
        .response("default", Ref::from_response_name(FAILED));
    let post = parameters().into_iter().fold(post, |post, (name, _)| {
        post.parameter_ref(Ref::new(format!("#/components/parameters/{name}")))
    });
    failures().into_keys().fold(post, |post, status| {
        post.response(status.as_str(), Ref::from_response_name(named(status)))
    })
}

/// The lines of a doc comment as one text.
fn text(words: &[&str]) -> String {
    let lines: Vec<&str> = words.iter().map(|line| line.trim()).collect();
    lines.join(" ").trim().to_owned()
}

fn json(body: &Body) -> Content {
    Content::new(Some(Ref::from_schema_name(body.name())))
}

fn add_schemas(known: &mut BTreeMap<String, RefOr<Schema>>, schemas: Vec<(String, RefOr<Schema>)>) {
    for (name, schema) in schemas {
        let schema = tolerant(schema);
        let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
        debug_assert!(*first == schema, "two types are called {name}");
    }
}

/// Between processes a member that nobody knows is passed over, whatever a type's
/// schema says to clients.
fn tolerant(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            let forbids =
                |it: &AdditionalProperties<_>| matches!(it, AdditionalProperties::FreeForm(false));
            object.additional_properties.take_if(|it| forbids(it));
            RefOr::T(Schema::Object(object))
        }
        other => other,
    }
}

/// What is the same for all operations.
fn common() -> Components {
    let mut components = Components::new();
    for (name, body) in [
        (REFUSED, Body::of::<Refusal>()),
        (FAILED, Body::of::<Failure>()),
    ] {
        let member = name.to_ascii_lowercase();
        let form = ObjectBuilder::new()
            .property(&member, Ref::from_schema_name(body.name()))
            .required(member);
        components.schemas.insert(name.to_owned(), form.into());
        add_schemas(&mut components.schemas, body.schemas());
    }
    for (name, parameter) in parameters() {
        let parameters = &mut components.parameters;
        parameters.insert(name.to_owned(), parameter.into());
    }
    let no = "A business rule says no: asking again changes nothing.";
    let silence = "There is no answer. A body of another form is not the port's own: \
        something in between wrote it, and its status alone counts.";
    let mut respond = |name: String, description: &str, schema| {
        let response = error(description, schema);
        components.responses.insert(name, response.into());
    };
    respond(REFUSED.to_owned(), no, REFUSED);
    respond(FAILED.to_owned(), silence, FAILED);
    for (status, description) in failures() {
        respond(named(status), &description, FAILED);
    }
    components
}

fn error(description: &str, schema: &str) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content(JSON, Content::new(Some(Ref::from_schema_name(schema))))
        .build()
}

/// What a status says of a failure: the routes' own first, then what the codec
/// makes of each kind.
fn failures() -> BTreeMap<StatusCode, String> {
    let unread = [
        (StatusCode::BAD_REQUEST, "can't be read".to_owned()),
        (
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("is larger than {BODY_LIMIT} bytes"),
        ),
    ];
    let unread = unread.map(|(status, why)| {
        let kind = FailureKind::Broken.as_str();
        (
            status,
            format!("The call {why}, and nothing was done: `{kind}`."),
        )
    });
    let mut kinds: BTreeMap<StatusCode, Vec<String>> = BTreeMap::new();
    for kind in FailureKind::ALL {
        let failure = Failure::clean(kind, "").into();
        let kinds = kinds.entry(status(&failure)).or_default();
        kinds.push(format!("`{}`", kind.as_str()));
    }
    let told = |(status, kinds): (_, Vec<String>)| {
        (status, format!("There is no answer: {}.", kinds.join(", ")))
    };
    unread
        .into_iter()
        .chain(kinds.into_iter().map(told))
        .collect()
}

/// `ServiceUnavailable`.
fn named(status: StatusCode) -> String {
    let words = status.canonical_reason().unwrap_or_default();
    words.replace(' ', "")
}

/// The headers of a call.
fn parameters() -> [(&'static str, Parameter); 4] {
    let visible = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]{1,128}$"));
    let correlation = header(
        &CORRELATION,
        visible,
        "Of the request that all this is for.",
    );
    let trace = "W3C trace context; one that can't be read is begun anew.";
    let causation = "What the call is made for, percent-encoded.";
    let deadline = "For how many milliseconds anyone will listen for the answer.";
    [
        ("Correlation", correlation.required(Required::True).build()),
        ("Trace", header(&TRACE, String::schema(), trace).build()),
        (
            "Causation",
            header(&CAUSATION, String::schema(), causation).build(),
        ),
        (
            "Deadline",
            header(&DEADLINE, u64::schema(), deadline).build(),
        ),
    ]
}

fn header(
    name: &HeaderName,
    schema: impl Into<RefOr<Schema>>,
    description: &str,
) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name.as_str())
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .schema(Some(schema))
        .description(Some(description))
}
