//! `openapi.yaml`, as it is and as a page to read.

use std::fmt::Write;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use saphyr::{Scalar, Yaml};

use crate::{binaries, console, yaml};

/// What a path can have beside its parameters.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// What is said of a schema beside its type.
const LIMITS: [&str; 11] = [
    "format",
    "const",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "default",
];

/// A part of the document.
type Node<'a> = &'a Yaml<'a>;

/// Its routes: the document and the page.
pub(crate) fn router() -> Router {
    Router::new().route("/openapi.yaml", get(raw)).route("/api", get(page))
}

/// The file is read each time, so that whoever writes it sees what it becomes.
async fn read() -> Result<String, Response> {
    let text = tokio::fs::read_to_string(binaries::root().join("openapi.yaml")).await;
    text.map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(why: &str) -> Response {
    console::refusal(StatusCode::INTERNAL_SERVER_ERROR, &format!("openapi.yaml: {why}"))
}

async fn raw() -> Response {
    let document = read().await.map(|text| ([("content-type", "application/yaml")], text));
    document.into_response()
}

async fn page() -> Response {
    let text = match read().await {
        Ok(text) => text,
        Err(refusal) => return refusal,
    };
    match yaml::first(&text) {
        Ok(document) => Html(whole(&document).into_string()).into_response(),
        Err(fault) => unreadable(&fault.to_string()),
    }
}

fn at<'a>(node: Node<'a>, name: &str) -> Option<Node<'a>> {
    node.as_mapping_get(name)
}

fn text<'a>(node: Node<'a>, name: &str) -> &'a str {
    at(node, name).and_then(|value| value.as_str()).unwrap_or_default()
}

fn members<'a>(node: Node<'a>, name: &str) -> Vec<(&'a str, Node<'a>)> {
    let members = at(node, name).and_then(|value| value.as_mapping()).into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.as_str()?, value))).collect()
}

fn items<'a>(node: Node<'a>, name: &str) -> &'a [Yaml<'a>] {
    at(node, name).and_then(|value| value.as_sequence()).map_or(&[], Vec::as_slice)
}

/// What a reference within the document leads to; anything else is itself.
fn resolve<'a>(document: Node<'a>, node: Node<'a>) -> Node<'a> {
    let Some(path) = text(node, "$ref").strip_prefix("#/") else { return node };
    path.split('/').try_fold(document, at).unwrap_or(node)
}

/// Paragraphs, with code between backticks.
fn prose(text: &str) -> Markup {
    html! { @for paragraph in text.trim().split("\n\n") { p { (words(paragraph)) } } }
}

fn words(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// Method, path, what is said of the path, and the operation.
type Operation<'a> = (&'a str, &'a str, Node<'a>, Node<'a>);

/// The operations of the paths or of the webhooks.
fn operations<'a>(document: Node<'a>, part: &str) -> Vec<Operation<'a>> {
    let of = |(path, item)| {
        let methods = METHODS.iter().filter_map(move |method| Some((*method, at(item, method)?)));
        methods.map(move |(method, operation)| (method, path, item, operation))
    };
    members(document, part).into_iter().flat_map(of).collect()
}

fn whole(document: Node<'_>) -> Markup {
    let Some(info) = at(document, "info") else { return html! {} };
    let (paths, webhooks) = (operations(document, "paths"), operations(document, "webhooks"));
    let parts = |part| at(document, "components").map_or(Vec::new(), |parts| members(parts, part));
    let schemas = parts("schemas");
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "API" } (console::style()) (style()) }
            body {
                p { a href="/" { "Console" } " · " a href="/openapi.yaml" { "openapi.yaml" } }
                h1 { (text(info, "title")) " " small { (text(info, "version")) } }
                (prose(text(info, "description")))
                @for server in items(document, "servers") {
                    p { code { (text(server, "url")) } " " (words(text(server, "description"))) }
                }
                h2 { "Operations" }
                (contents(&paths))
                h2 { "Webhooks" }
                (contents(&webhooks))
                h2 { "Schemas" }
                p { @for (name, _) in &schemas {
                    a href=(format!("#{name}")) { (name) } " "
                } }
                h2 #security { "Who is calling" }
                @for (_, scheme) in parts("securitySchemes") {
                    (prose(text(scheme, "description")))
                }
                @for (method, path, item, operation) in paths.iter().chain(&webhooks) {
                    (self::operation(document, (method, path), item, operation))
                }
                @for (name, schema) in schemas {
                    (self::schema(name, schema))
                }
            }
        }
    }
}

fn style() -> Markup {
    html! { style { (PreEscaped("body{max-width:72rem}table{width:100%}td{vertical-align:top}td p{margin:0 0 .4rem}\
    th,td:first-child{white-space:nowrap}pre{background:#f5f5f5;padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0 1rem}\
    code{background:#f5f5f5;overflow-wrap:anywhere}td pre{margin:0}section{border-top:3px solid #ddd;margin-top:2rem}\
    .ours{background:#fd6;border-radius:.3rem;padding:0 .3rem;font-size:.8rem}small{color:#666}")) } }
}

fn contents(operations: &[Operation<'_>]) -> Markup {
    html! { table { @for (method, path, _, operation) in operations {
        @let id = text(operation, "operationId");
        tr {
            td { a href=(format!("#{id}")) { (id) } }
            td { @if path.starts_with('/') { code { (method.to_uppercase()) " " (path) } } @else { "sent to a " code { "callbackUrl" } } }
            td { (text(operation, "summary")) " " (ours(operation)) }
        }
    } } }
}

/// A mark on what is ours and not Entur's.
fn ours(node: Node<'_>) -> Markup {
    html! { @if at(node, "x-ours").and_then(Yaml::as_bool) == Some(true) { span.ours { "ours" } } }
}

fn operation(
    document: Node<'_>,
    (method, path): (&str, &str),
    item: Node<'_>,
    operation: Node<'_>,
) -> Markup {
    let parameters = items(item, "parameters").iter().chain(items(operation, "parameters"));
    let body = at(operation, "requestBody");
    let permission = text(operation, "x-permission");
    html! {
        section #(text(operation, "operationId")) {
            h2 { (text(operation, "operationId")) " " (ours(operation)) }
            @if path.starts_with('/') { p { code { (method.to_uppercase()) " " (path) } } }
            p { strong { (text(operation, "summary")) } }
            (prose(text(operation, "description")))
            @if !permission.is_empty() { p { "Permission: " code { (permission) } " (" a href="#security" { "who is calling" } ")" } }
            h3 { "Parameters" }
            table { @for parameter in parameters { (self::parameter(resolve(document, parameter))) } }
            @if let Some(body) = body {
                h3 { "Body" }
                (prose(text(body, "description")))
                (media(document, body, true))
            }
            h3 { "Responses" }
            table { @for (status, response) in members(operation, "responses") {
                (self::response(document, status, resolve(document, response)))
            } }
        }
    }
}

fn parameter(parameter: Node<'_>) -> Markup {
    html! { tr {
        td { code { (text(parameter, "name")) } " " (ours(parameter)) br; small { (text(parameter, "in")) @if is_required(parameter) { ", required" } } }
        td {
            (prose(text(parameter, "description")))
            p { @if let Some(schema) = at(parameter, "schema") { (shape(schema)) } }
        }
    } }
}

fn is_required(node: Node<'_>) -> bool {
    at(node, "required").and_then(Yaml::as_bool) == Some(true)
}

fn response(document: Node<'_>, status: &str, response: Node<'_>) -> Markup {
    let headers = members(response, "headers");
    html! { tr {
        td { strong { (status) } }
        td {
            p { (words(text(response, "description"))) }
            (media(document, response, false))
            @if !headers.is_empty() {
                p { small { "Headers: " @for (place, (name, _)) in headers.iter().enumerate() {
                    @if place > 0 { ", " } (name)
                } } }
            }
        }
    } }
}

/// Content types with what they carry, and examples, which can be folded.
fn media(document: Node<'_>, carrier: Node<'_>, open: bool) -> Markup {
    html! { @for (kind, content) in members(carrier, "content") {
        p { code { (kind) } ": " @if let Some(schema) = at(content, "schema") { (shape(schema)) } }
        @for (_, example) in members(content, "examples") {
            @let example = resolve(document, example);
            details open[open] {
                summary { (text(example, "summary")) }
                pre { @if let Some(value) = at(example, "value") { (json(value)) } }
            }
        }
    } }
}

fn schema(name: &str, schema: Node<'_>) -> Markup {
    let required: Vec<_> =
        items(schema, "required").iter().filter_map(|name| name.as_str()).collect();
    html! {
        section #(name) {
            h2 { (name) " " (ours(schema)) }
            (prose(text(schema, "description")))
            @if text(schema, "type") != "object" { p { (shape(schema)) } }
            table { @for (name, property) in members(schema, "properties") {
                tr {
                    td { code { (name) } " " (ours(property)) @if required.contains(&name) { br; small { "required" } } }
                    td { p { (shape(property)) } (prose(text(property, "description"))) }
                }
            } }
        }
    }
}

/// A schema in a line.
fn shape(schema: Node<'_>) -> Markup {
    let name = text(schema, "$ref").rsplit('/').next().unwrap_or_default();
    let either = items(schema, "anyOf");
    let narrowed = items(schema, "allOf");
    html! {
        @if !name.is_empty() { a href=(format!("#{name}")) { (name) } }
        @for (place, one) in either.iter().enumerate() { @if place > 0 { " or " } (shape(one)) }
        @for (place, one) in narrowed.iter().enumerate() { @if place > 0 { " with " } (shape(one)) }
        @if let Some(kind) = at(schema, "type") { (alternatives(kind)) }
        @if let Some(items) = at(schema, "items") { " of " (shape(items)) }
        @if at(schema, "type").is_none() { (narrowing(schema)) }
        @for (limit, value) in LIMITS.iter().filter_map(|limit| Some((limit, at(schema, limit)?))) {
            @if *limit == "enum" || *limit == "const" { ": " (alternatives(value)) }
            @else { ", " (limit) " " code { (plain(value)) } }
        }
    }
}

/// What a schema adds to the one that it narrows: `type: a | b`.
fn narrowing(schema: Node<'_>) -> Markup {
    let words = |property| at(property, "enum").or(at(property, "const"));
    let narrowed = members(schema, "properties").into_iter();
    let narrowed = narrowed.filter_map(|(name, property)| Some((name, words(property)?)));
    html! { @for (place, (name, words)) in narrowed.filter(|(name, _)| *name != "status").enumerate() {
        @if place > 0 { ", " } (name) " " (alternatives(words))
    } }
}

/// The words of a list, or the only one. Of a name with colons the end is enough.
fn alternatives(value: Node<'_>) -> Markup {
    let several = value.as_sequence().map_or(std::slice::from_ref(value), Vec::as_slice);
    html! { @for (place, one) in several.iter().enumerate() {
        @let word = plain(one);
        @let end = word.rsplit_once(':').map(|(_, end)| format!("…:{end}"));
        @if place > 0 { " | " } code title=(word) { (end.as_ref().unwrap_or(&word)) }
    } }
}

/// A text without quotes, anything else as JSON.
fn plain(value: Node<'_>) -> String {
    value.as_str().map_or_else(|| json(value), str::to_owned)
}

/// JSON in the document's own order.
fn json(value: Node<'_>) -> String {
    let mut written = String::new();
    write(&mut written, value, 0);
    written
}

fn write(out: &mut String, value: Node<'_>, depth: usize) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    let separated = |out: &mut String, place: usize| {
        out.push_str(if place > 0 { "," } else { "" });
        line(out, depth + 1);
    };
    match value {
        Yaml::Mapping(members) if !members.is_empty() => {
            out.push('{');
            for (place, (name, value)) in members.iter().enumerate() {
                separated(out, place);
                let name = serde_json::Value::from(name.as_str().unwrap_or_default());
                write!(out, "{name}: ").unwrap_or_default();
                write(out, value, depth + 1);
            }
            line(out, depth);
            out.push('}');
        }
        Yaml::Sequence(items) if !items.is_empty() => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                separated(out, place);
                write(out, item, depth + 1);
            }
            line(out, depth);
            out.push(']');
        }
        Yaml::Mapping(_) => out.push_str("{}"),
        Yaml::Sequence(_) => out.push_str("[]"),
        Yaml::Value(Scalar::String(text)) => {
            out.push_str(&serde_json::Value::from(text.as_ref()).to_string());
        }
        Yaml::Value(Scalar::Integer(number)) => out.push_str(&number.to_string()),
        Yaml::Value(Scalar::FloatingPoint(number)) => out.push_str(&number.to_string()),
        Yaml::Value(Scalar::Boolean(flag)) => out.push_str(&flag.to_string()),
        Yaml::Value(Scalar::Null) => out.push_str("null"),
        Yaml::Representation(..) | Yaml::Tagged(..) | Yaml::Alias(_) | Yaml::BadValue => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_the_order() {
        let value = yaml::first("b: [1, null, {}]\na: { c: 'x\"', d: [] }\n").unwrap();
        let expected = r#"{
  "b": [
    1,
    null,
    {}
  ],
  "a": {
    "c": "x\"",
    "d": []
  }
}"#;
        assert_eq!(json(&value), expected);
    }

    /// Every operation and every schema has its place, every link leads to one, and nothing comes from elsewhere.
    #[tokio::test]
    async fn the_page_is_whole() {
        let text = read().await.unwrap();
        let page = whole(&yaml::first(&text).unwrap()).into_string();
        for id in
            ["queryRecurringPayments", "recurringPaymentDeclined", "RecurringPayment", "Problem"]
        {
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
        for link in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(page.contains(&format!("id=\"{link}\"")), "{link}");
        }
        assert!(!page.contains("<script") && !page.contains("src="));
        assert!(page.contains("title=\"urn:problem-type:recurring-payments:declined-for-now\""));
    }
}
