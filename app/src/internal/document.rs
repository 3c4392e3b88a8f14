//! The document of the ports: which operations a deployment's processes call at
//! each other, and how a call looks on the wire. Inputs and answers are the
//! contracts' own types, and are said there.

use axum::Json;
use cleave_seam::Operation;
use serde_json::{Map, Value, json};

/// Every port's operations.
fn operations() -> impl Iterator<Item = &'static Operation> {
    [
        cleave_inventory_contract::port::OPERATIONS,
        cleave_payment_contract::port::OPERATIONS,
        cleave_shipping_contract::port::OPERATIONS,
        cleave_user_contract::port::OPERATIONS,
    ]
    .into_iter()
    .flatten()
}

/// `GET /internal/v1/openapi.json`.
pub(super) async fn show() -> Json<Value> {
    Json(document())
}

fn document() -> Value {
    let paths: Map<String, Value> = operations()
        .map(|operation| {
            (
                operation.path.to_owned(),
                json!({ "post": post(operation) }),
            )
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cleave, between its processes",
            "version": "1.0.0",
            "description": "The ports of the contexts. A refusal is an answer (409); a failure is none, and says whether its outcome is unknown. Unknown members are passed over.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "service": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A service token: EdDSA, from the calling context, for the called one." } },
            "parameters": parameters(),
            "responses": {
                "Refused": answer("A business rule says no: `refused` has code and message.", "refused"),
                "Failed": answer("There is no answer: `failed` has kind, message and outcome_unknown.", "failed"),
            },
        },
    })
}

fn post(operation: &Operation) -> Value {
    let path = operation.path.trim_start_matches("/internal/v1/");
    let context = path.split('/').next().unwrap_or_default();
    let shared = ["Correlation", "Trace", "Causation", "Deadline"];
    let shared = shared.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
    json!({
        "operationId": format!("{context}_{}", operation.name),
        "tags": [context],
        "x-changes": operation.changes(),
        "security": [{ "service": [] }],
        "parameters": shared,
        "requestBody": { "required": true, "content": { "application/json": {} } },
        "responses": {
            "200": { "description": "Done.", "content": { "application/json": {} } },
            "409": { "$ref": "#/components/responses/Refused" },
            "default": { "$ref": "#/components/responses/Failed" },
        },
    })
}

fn parameters() -> Value {
    let header = |name: &str, required: bool, kind: &str, description: &str| json!({ "in": "header", "name": name, "required": required, "schema": { "type": kind }, "description": description });
    json!({
        "Correlation": header("x-correlation-id", true, "string", "Of the request that all this is for."),
        "Trace": header("traceparent", false, "string", "W3C trace context."),
        "Causation": header("cleave-causation", false, "string", "What the call is made for, percent-encoded."),
        "Deadline": header("cleave-deadline-ms", false, "integer", "For how many milliseconds anyone will listen for the answer."),
    })
}

fn answer(description: &str, member: &str) -> Value {
    let schema = json!({ "type": "object", "properties": { member: { "type": "object" } } });
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_named_once() {
        let document = document();
        let paths = document["paths"].as_object().expect("paths");
        assert_eq!(paths.len(), operations().count());
        let charge = &paths["/internal/v1/payment/charge"]["post"];
        assert_eq!(charge["operationId"], "payment_charge");
        assert_eq!(charge["x-changes"], true);
        let quote = &paths["/internal/v1/inventory/quote"]["post"];
        assert_eq!(quote["x-changes"], false);
    }
}
