//! Checks that `openapi.yaml` agrees with the service.

mod payment_limits;
mod payments;
mod responses;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jsonschema::Draft;
use local::binaries::root;
use local::template::{Parameters, Template};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::TestApi;

const PROBLEM: &str = "urn:problem-type:recurring-payments:";
type Set = BTreeSet<String>;

/// The document `openapi.yaml`.
pub(crate) struct Document(pub(crate) Value);

impl Document {
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(root().join("openapi.yaml")).unwrap();
        Self(local::yaml::document(&text, |_, _| None).unwrap())
    }

    /// Resolves a `$ref`. Returns a node without a reference unchanged.
    pub(crate) fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        let Some(reference) = node["$ref"].as_str() else { return node };
        let path = reference.strip_prefix('#').unwrap();
        self.0.pointer(path).unwrap_or_else(|| panic!("{reference} cannot be resolved"))
    }

    /// Returns method, path and operation of all `paths` or all `webhooks`.
    pub(crate) fn operations(&self, part: &str) -> Vec<(String, String, &Value)> {
        let methods = ["get", "post", "put", "patch", "delete"];
        let paths = self.0[part].as_object().unwrap().iter();
        let item_operations = |(path, item)| -> Vec<(String, String, &Value)> {
            let item: &Value = item;
            let path: &String = path;
            let found = methods.iter().filter_map(|method| Some((method, item.get(method)?)));
            found.map(|(method, one)| (method.to_uppercase(), path.clone(), one)).collect()
        };
        paths.flat_map(item_operations).collect()
    }

    fn operation(&self, method: &str, path: &str) -> &Value {
        &self.0["paths"][path][method.to_lowercase()]
    }

    /// Asserts that a value is valid for a schema, whose references are resolved in the document.
    fn check(&self, schema: &Value, value: &Value, context: &str) {
        let mut whole = schema.clone();
        whole["components"] = self.0["components"].clone();
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&whole)
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        let errors: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{context}: {errors:?} in {value}");
    }

    /// Returns the values of an `enum` at a JSON pointer.
    fn enum_values(&self, pointer: &str) -> Set {
        let values = self.0.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
        values.as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Returns the names of a schema's properties.
    fn properties(&self, schema: &str) -> Set {
        let properties = &self.0["components"]["schemas"][schema]["properties"];
        properties.as_object().unwrap().keys().cloned().collect()
    }
}

/// Reads a source file without its tests and comments.
fn source(path: &str) -> String {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap().lines();
    code.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Reads all source files of the functions and the library.
fn sources() -> Vec<String> {
    let mut folders = vec![root().join("shared/src"), root().join("functions")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.to_str().unwrap().ends_with("_tests.rs");
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !is_test {
                sources.push(source(path.strip_prefix(root()).unwrap().to_str().unwrap()));
            }
        }
    }
    sources
}

/// Returns the string literals of a source file in their order. They must not contain quotation marks.
fn all_literals(path: &str) -> Vec<String> {
    source(path).split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the string literals of a source file that match.
fn literals(path: &str, matches: impl Fn(&str) -> bool) -> Set {
    all_literals(path).into_iter().filter(|text| matches(text)).collect()
}

/// The files with the table of errors.
const STATUS_TABLE: [&str; 2] = ["shared/src/api/status.rs", "shared/src/api/status/payment.rs"];

/// `VISA`, `MIT_UCOF`
fn is_upper_snake_case(text: &str) -> bool {
    text.len() > 2 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// `terminal-open`
fn is_kebab_case(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// Returns the number of the status with this constant name in the library `http`.
fn status_number(name: &str) -> u16 {
    let statuses = (400..600).filter_map(|number| StatusCode::from_u16(number).ok());
    let mut matching = statuses.filter(|status| {
        let reason = status.canonical_reason().unwrap_or_default();
        reason.to_uppercase().replace([' ', '-'], "_") == name
    });
    matching.next().unwrap_or_else(|| panic!("{name}")).as_u16()
}

#[test]
fn the_routes_are_those_of_the_template() {
    let template = Template::read(&root().join("template.yaml")).unwrap();
    let names = template.document()["Parameters"].as_object().unwrap().keys();
    let parameters: Parameters = names.map(|name| (name.clone(), "x".to_owned())).collect();
    let secrets = [("IdKey".to_owned(), "x".to_owned())].into();
    let functions = template.functions(&parameters, &secrets).unwrap();
    let deployed: BTreeMap<_, _> = functions
        .iter()
        .flat_map(|function| function.routes.iter().map(|route| (route, &function.binary)))
        .map(|(route, binary)| {
            let name = if binary == "list-recurring-payments" {
                "query-recurring-payments"
            } else {
                binary
            };
            ((route.method.clone(), route.path.clone()), (name.to_owned(), route.authorized))
        })
        .collect();
    let document = Document::read();
    let kebab = |id: &str| {
        let letter = |letter: char| {
            let dash = letter.is_ascii_uppercase().then_some('-');
            dash.into_iter().chain([letter.to_ascii_lowercase()])
        };
        id.chars().flat_map(letter).collect::<String>()
    };
    let described: BTreeMap<_, _> = document
        .operations("paths")
        .into_iter()
        .map(|(method, path, operation)| {
            let is_open = operation["security"] == json!([]);
            ((method, path), (kebab(operation["operationId"].as_str().unwrap()), !is_open))
        })
        .collect();
    assert_eq!(described, deployed);
}

#[test]
fn operation_ids_are_unique_and_the_version_is_the_crates() {
    let document = Document::read();
    let mut ids = Set::new();
    for part in ["paths", "webhooks"] {
        for (_, _, operation) in document.operations(part) {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{operation}"
            );
        }
    }
    assert_eq!(document.0["info"]["version"], env!("CARGO_PKG_VERSION"));
    let described = document.enum_values("/components/schemas/Problem/properties/type/enum");
    assert!(described.iter().all(|kind| kind.starts_with(PROBLEM)));
}

#[test]
fn additions_to_enturs_api_are_marked_in_the_description() {
    let document = Document::read();
    let (mut parts, mut count) = (vec![&document.0], 0);
    while let Some(part) = parts.pop() {
        if part["x-extension"] == true {
            assert!(part["description"].as_str().unwrap().contains("Extension: "), "{part}");
            count += 1;
        }
        parts.extend(part.as_object().into_iter().flat_map(|members| members.values()));
        parts.extend(part.as_array().into_iter().flatten());
    }
    assert!(count > 10, "{count}");
}

/// Returns the first argument of a call, if it is a string literal.
fn first_literal(arguments: &str) -> Option<&str> {
    arguments.trim_start().strip_prefix('"')?.split('"').next()
}

/// The rows of the table of errors. A row has a status, followed by the last part of the type. In the table of payments,
/// `conflict` has the status 409, and so have all declines.
fn problem_rows() -> BTreeSet<(u16, String)> {
    let mut rows = BTreeSet::new();
    for table in STATUS_TABLE.map(source) {
        let statuses = table.split("StatusCode::").skip(1).filter_map(|row| {
            let (status, rest) = row.split_once(',')?;
            Some((status_number(status), first_literal(rest)?))
        });
        let conflicts = table.split("conflict(").skip(1).filter_map(first_literal);
        let declines = table.split_once("fn decline_row(").map(|(_, rest)| rest);
        let declines = declines.and_then(|rest| rest.split("\n}").next()).unwrap_or_default();
        let declines = declines.split('"').skip(1).step_by(2).filter(|text| is_kebab_case(text));
        let all = statuses.chain(conflicts.chain(declines).map(|slug| (409, slug)));
        rows.extend(all.map(|(status, slug)| (status, format!("{PROBLEM}{slug}"))));
    }
    rows
}

#[test]
fn the_problem_types_and_statuses_are_those_of_the_code() {
    let rows = problem_rows();
    assert!(rows.len() > 35, "{rows:?}");
    let document = Document::read();
    let mut described = BTreeSet::new();
    for (_, _, operation) in document.operations("paths") {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let schema =
                &document.resolve(response)["content"]["application/problem+json"]["schema"];
            let Some(narrowed) = schema["allOf"].get(1) else { continue };
            let number: u16 = status.parse().unwrap();
            assert_eq!(narrowed["properties"]["status"]["const"], number);
            for kind in narrowed["properties"]["type"]["enum"].as_array().unwrap() {
                described.insert((number, kind.as_str().unwrap().to_owned()));
            }
        }
    }
    assert_eq!(described, rows);
    let kinds: Set = rows.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(document.enum_values("/components/schemas/Problem/properties/type/enum"), kinds);
}

/// The detail of each example of a problem is the text that follows its type in the table of errors. `invalid-request` is left
/// out: its details are the rules of fields.
#[test]
fn the_details_of_the_examples_are_those_of_the_code() {
    let mut details = BTreeMap::<String, Vec<String>>::new();
    for literals in STATUS_TABLE.map(all_literals) {
        for pair in literals.windows(2).filter(|pair| is_kebab_case(&pair[0])) {
            details.entry(format!("{PROBLEM}{}", pair[0])).or_default().push(pair[1].clone());
        }
    }
    let fixed: Set = sources()
        .iter()
        .flat_map(|source| source.split('"').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    let is_of_code = |kind: &str, detail: &str| {
        details[kind].iter().any(|text| match text.split_once('{') {
            None => text == detail,
            // A variable text at the end is a literal elsewhere.
            Some((before, rest)) if rest.ends_with('}') => {
                detail.strip_prefix(before).is_some_and(|end| fixed.contains(end))
            }
            Some((before, rest)) => {
                let after = rest.split_once('}').unwrap().1;
                detail.starts_with(before) && detail.ends_with(after)
            }
        })
    };
    let document = Document::read();
    let (mut parts, mut count) = (vec![&document.0], 0);
    while let Some(part) = parts.pop() {
        let kind = part["type"].as_str().filter(|kind| kind.starts_with(PROBLEM));
        if let Some((kind, detail)) = kind.zip(part["detail"].as_str()) {
            let is_field = kind.ends_with(":invalid-request");
            assert!(is_field || is_of_code(kind, detail), "{part}");
            count += 1;
        }
        parts.extend(part.as_object().into_iter().flat_map(|members| members.values()));
        parts.extend(part.as_array().into_iter().flatten());
    }
    assert!(count > 50, "{count}");
}

/// Compared with all `Violation::new("code", …)`. The code can be a constant of the same file.
#[test]
fn the_error_codes_are_those_of_the_code() {
    let mut codes = Set::new();
    for source in sources() {
        for call in source.split("Violation::new(").skip(1) {
            let first = call.split(',').next().unwrap().trim();
            let constant = format!("const {first}: &str = ");
            let literal = match source.split_once(&constant) {
                Some((_, rest)) if !first.starts_with('"') => rest.split(';').next().unwrap(),
                _ => first,
            };
            let code = literal.strip_prefix('"').and_then(|code| code.strip_suffix('"'));
            codes.insert(code.unwrap_or_else(|| panic!("{literal}")).to_owned());
        }
    }
    assert!(codes.contains("type") && codes.contains("transaction-type"), "{codes:?}");
    assert_eq!(
        Document::read().enum_values("/components/schemas/Fault/properties/code/enum"),
        codes
    );
}

#[test]
fn the_enumerations_are_those_of_the_code() {
    let document = Document::read();
    let values = |schema: &str| document.enum_values(&format!("/components/schemas/{schema}/enum"));
    let states = &values("RecurringStatus") | &values("RecurringPayment/properties/statusReason");
    assert_eq!(states, literals("shared/src/domain/recurring_payment.rs", is_upper_snake_case));
    assert_eq!(values("PaymentType"), literals("shared/src/domain/card.rs", is_upper_snake_case));
    assert_eq!(values("ErrorReason"), literals("shared/src/api/status.rs", is_upper_snake_case));
    let transactions = literals("shared/src/api/request/terminal.rs", is_upper_snake_case);
    for request in ["TerminalRequest", "PaymentTerminalRequest"] {
        assert_eq!(values(&format!("{request}/properties/transactionType")), transactions);
    }
    let is_language = |text: &str| text.len() == 5 && text.as_bytes()[2] == b'_';
    assert_eq!(
        values("TerminalLanguage"),
        literals("shared/src/domain/text/locale.rs", is_language)
    );
    let history = &values("HistoryChange/properties/reason") | &values("Actor/properties/type");
    assert_eq!(history, literals("shared/src/domain/history.rs", is_upper_snake_case));
    let notifications = "shared/src/notify/message.rs";
    assert_eq!(
        values("Notification/properties/errorReason"),
        literals(notifications, is_upper_snake_case)
    );
    for (schemas, prefix) in [
        (
            &["Notification", "CardNotification", "PrimaryChangeNotification"][..],
            "recurring-payment.",
        ),
        (&["PaymentNotification"], "payment."),
    ] {
        let types = literals(notifications, |text| text.starts_with(prefix));
        let described = schemas.iter().flat_map(|one| values(&format!("{one}/properties/type")));
        assert_eq!(described.collect::<Set>(), types, "{schemas:?}");
    }
    let causes = &values("CardNotification/properties/cause")
        | &values("PrimaryChangeNotification/properties/reason");
    let events = "shared/src/domain/notification/wallet_event.rs";
    assert_eq!(causes, literals(events, is_upper_snake_case));
}

#[test]
fn the_enumerations_of_payments_are_those_of_the_code() {
    let document = Document::read();
    let values = |schema: &str| document.enum_values(&format!("/components/schemas/{schema}/enum"));
    let literals = |path: &str| literals(path, is_upper_snake_case);
    let currencies = literals("shared/src/domain/money.rs");
    assert_eq!(values("Currency"), currencies);
    assert_eq!(values("RequestCurrency"), currencies);
    let operations = literals("shared/src/domain/payment/operation.rs");
    assert_eq!(values("Operation/properties/operation"), operations);
    let replies = literals("shared/src/api/reply/payment.rs");
    assert_eq!(values("Transaction/properties/paymentTypeGroup"), replies);
    let reasons = values("TransactionStatusReason");
    let statuses = literals("shared/src/domain/payment/transaction.rs");
    assert_eq!(&reasons | &values("TransactionStatus"), statuses);
    let by_status = (0..2).flat_map(|index| {
        let rule = format!("Transaction/allOf/{index}/then/properties/statusReason");
        values(&rule)
    });
    assert_eq!(by_status.collect::<Set>(), reasons);
}

/// The patterns of customer numbers accept the same numbers as the service (`customer_numbers.rs`).
#[test]
fn the_patterns_of_customer_numbers_are_those_of_the_service() {
    let document = Document::read();
    let body = &document.0["components"]["schemas"]["CustomerNumber"];
    let query = &document.0["components"]["parameters"]["CustomerNumber"]["schema"];
    let (long, too_long) = ("x".repeat(64), "x".repeat(65));
    for (text, in_body, in_query) in [
        ("4711", true, true),
        ("ENT:Customer:42", true, true),
        ("kari+kort@example.no", true, true),
        ("eq:4711", true, true),
        ("eq:eq:4711", true, true),
        ("ne:4711", true, false),
        ("eq:ne:4711", true, true),
        ("like:4711", true, true),
        ("eq:", true, false),
        (&long, true, true),
        (&too_long, false, false),
        ("", false, false),
        (".", false, false),
        ("..", false, false),
        ("...", true, true),
        ("eq:..", true, false),
        ("47;11", false, false),
        ("ø", false, false),
    ] {
        let valid = [body, query].map(|schema| jsonschema::is_valid(schema, &json!(text)));
        assert_eq!(valid, [in_body, in_query], "{text}");
    }
}

/// `Permission::Read` in a function is `recurring-payments:les` in the document, and `Permission::PaymentRead` is `payments:les`.
#[test]
fn the_permissions_are_those_of_the_functions() {
    let callers = source("shared/src/domain/caller.rs");
    let names: BTreeMap<&str, &str> = callers
        .split("(Self::")
        .skip(1)
        .filter_map(|row| row.split_once(", \""))
        .filter_map(|(variant, rest)| Some((variant, rest.split('"').next()?)))
        .collect();
    for (method, path, operation) in Document::read().operations("paths") {
        let id = operation["operationId"].as_str().unwrap();
        let route = format!("{method} {path}");
        let source = fs::read_dir(root().join("functions")).unwrap().find_map(|folder| {
            let text = fs::read_to_string(folder.unwrap().path().join("src/main.rs")).unwrap();
            let first_line = text.lines().next().unwrap_or_default().to_owned();
            (first_line.contains(&format!("`{route}`"))
                || first_line.contains(&format!("`{route}?")))
            .then_some(text)
        });
        let source = source.unwrap_or_else(|| panic!("{route}"));
        let permission = source
            .split("request.caller(Permission::")
            .nth(1)
            .map(|rest| rest.split(')').next().unwrap());
        let permission = permission.map(|variant| names[variant]);
        assert_eq!(operation["x-permission"].as_str(), permission, "{id}");
    }
}

/// Each example of a parameter, header, body or schema is valid for its schema.
#[test]
fn the_examples_are_valid_for_their_schemas() {
    let document = Document::read();
    let mut count = 0;
    let mut parts = vec![("#".to_owned(), &document.0)];
    while let Some((place, part)) = parts.pop() {
        let has_schema = part["schema"].is_object();
        let schema = if has_schema { &part["schema"] } else { part };
        let mut check = |value: &Value, name: &str| {
            count += 1;
            document.check(schema, value, &format!("{place}/{name}"));
        };
        if has_schema && !part["example"].is_null() {
            check(&part["example"], "example");
        }
        for (name, example) in
            part["examples"].as_object().filter(|_| has_schema).into_iter().flatten()
        {
            check(&document.resolve(example)["value"], name);
        }
        for example in part["examples"].as_array().into_iter().flatten() {
            check(example, "examples");
        }
        match part {
            Value::Object(members) => {
                parts.extend(members.iter().map(|(name, part)| (format!("{place}/{name}"), part)));
            }
            Value::Array(items) => parts.extend(items.iter().map(|item| (place.clone(), item))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert!(count > 150, "{count}");
}

/// Rule 20: `detail` is the first of several errors.
#[test]
fn the_detail_of_a_problem_is_its_first_error() {
    let document = Document::read();
    let (mut parts, mut count) = (vec![&document.0], 0);
    while let Some(part) = parts.pop() {
        if let Some(first) = part["errors"].get(0).filter(|first| first["field"].is_string()) {
            let word = |name: &str| first[name].as_str().unwrap();
            let sentence = format!("{} {}.", word("field"), word("message"));
            assert_eq!((&part["detail"], &part["message"]), (&json!(sentence), &json!(sentence)));
            count += 1;
        }
        parts.extend(part.as_object().into_iter().flat_map(|members| members.values()));
        parts.extend(part.as_array().into_iter().flatten());
    }
    assert!(count > 1, "{count}");
}

/// The console serves the file itself, and Swagger UI with the address of the local API.
#[tokio::test]
async fn the_console_serves_the_document() {
    let api = TestApi::new().await;
    let get = async |path: &str| {
        let address = format!("{}{path}", api.local.addresses().console);
        let response = api.http.get(address).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status(), kind, response.text().await.unwrap())
    };
    let (status, kind, text) = get("/openapi.yaml").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/yaml"));
    assert_eq!(text, fs::read_to_string(root().join("openapi.yaml")).unwrap());
    let (status, kind, text) = get("/api").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/html"));
    assert!(text.contains("SwaggerUIBundle"));
    let shown_document =
        local::yaml::document(&get("/api/openapi.yaml").await.2, |_, _| None).unwrap();
    assert_eq!(shown_document["servers"][0]["url"], *api.local.addresses().api);
    assert!(get("/").await.2.contains("href=\"/api\""));
}
